import ArgumentParser
import FoveaCLI
import FoveaControl
import FoveaModels
import FoveaRetraining
import FoveaSystem
import FoveaTraining
import Glibc

struct RetrainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retrain",
        abstract: "Trains a challenger from the configured data and the corrections; lets it serve if it is better.",
        discussion: """
            What it learns from, and for how long, stands under `retrain` in the configuration. It runs at idle priority, one \
            at a time; stopped or out of time it goes on at the next call. Exit codes: 0 a better model serves, 10 the \
            challenger was not better and the old one serves on, 11 there is nothing new to learn from, 12 the challenger is \
            better and waits for `foveactl model swap`; others say that it failed, 65 also that the daemon refused the challenger, \
            75 that it goes on at the next call. With --dry-run 0 says that there is something to do.
            """)

    @Option(help: ArgumentHelp("The longest time for it, instead of retrain.budget.", valueName: "time"))
    var budget: String?

    @Flag(help: "Say what would be learnt from, and train nothing.")
    var dryRun = false

    @Flag(help: "A better challenger goes into the store and does not serve.")
    var noPromote = false

    @Flag(help: "Retrain although data and settings are those of the last time.")
    var force = false

    @Flag(help: "Give up a retraining that is unfinished, and begin anew.")
    var restart = false

    @Flag(help: "Go on with a retraining that is unfinished, after a reboot for example, and begin none.")
    var unfinished = false

    @Flag(help: "For cron: the report as text, and nothing at all where there is nothing new.")
    var mail = false

    @Option(help: "Same seed, same data and same number of threads give the same weights.")
    var seed: UInt64 = 1

    @Option(help: "Threads; 0 is one per processor. Otherwise as many as it began with.")
    var threads: Int?

    @OptionGroup var common: CommonOptions

    func validate() throws {
        try CommonOptions.check(seed: seed)
        try CommonOptions.check(threads: threads ?? 0)
        if let budget {
            guard let seconds = Units.seconds(budget), seconds > 0 else {
                throw ValidationError("--budget '\(budget)': a time such as 90s, 20m or 8h.")
            }
        }
        guard !(dryRun && (noPromote || mail || restart || unfinished || budget != nil)) else {
            throw ValidationError(
                "--dry-run trains nothing: --no-promote, --mail, --restart, --unfinished and --budget have no meaning with it."
            )
        }
        guard !(unfinished && (restart || force)) else {
            throw ValidationError("--unfinished begins nothing: --restart and --force have no meaning with it.")
        }
    }

    func run() throws {
        // Before threads are started, which inherit it.
        let isLast = IdlePriority.enter()
        Interruption.install()
        var code: Int32 = 0
        try Program.reporting("retrain") {
            if !isLast {
                Console(quiet: common.quiet || mail).note(
                    "started from a terminal, it shares the processors evenly with other sessions: "
                        + "`setsid -w foveactl retrain` leaves them to the daemon")
            }
            let retraining = Retraining(
                request, configuration: try common.load(), console: Console(quiet: common.quiet || mail),
                report: Program.report)
            code = try retraining.run().exitCode
        }
        if code != 0 { throw ExitCode(code) }
    }

    private var request: RetrainRequest {
        var request = RetrainRequest()
        request.budget = budget.flatMap(Units.seconds)
        request.isDryRun = dryRun
        request.keepsChampion = noPromote
        request.isForced = force
        request.restarts = restart
        request.onlyUnfinished = unfinished
        request.seed = seed
        request.threads = threads
        request.output = common.json ? .json : mail ? .mail : .line
        return request
    }
}
