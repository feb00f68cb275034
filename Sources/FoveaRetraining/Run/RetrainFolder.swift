import FoveaSystem
import SystemPackage

/// `<state>/retrain/`: what retraining keeps from one call to the next.
///
/// ```
///   lock            one at a time
///   hashes          SHA-256 of corrections, by stat
///   last.json       what the last finished one has learnt from, so that the same is not done again
///   report.md       what it came to; report.json the same for programs
///   log.jsonl       a line for each that is finished
///   run/            the one that is unfinished: plan.json, its corrections as a data set, its checkpoint, the gate's
///                   verdict.json
///   challengers/    a model store with the challenger that is judged, or was found wanting
/// ```
package struct RetrainFolder: Sendable {
    package let path: FilePath

    package init(state: FilePath) { path = state.appending("retrain") }

    package var lock: FilePath { path.appending("lock") }
    package var hashes: FilePath { path.appending("hashes") }
    package var last: FilePath { path.appending("last.json") }
    package var report: FilePath { path.appending("report.md") }
    package var reportJSON: FilePath { path.appending("report.json") }
    package var log: FilePath { path.appending("log.jsonl") }
    package var run: FilePath { path.appending("run") }
    package var plan: FilePath { run.appending("plan.json") }
    package var verdict: FilePath { run.appending("verdict.json") }
    package var checkpoint: FilePath { run.appending("checkpoint") }
    package var challengers: FilePath { path.appending("challengers") }

    /// Removes what is unfinished; a crash halfway leaves nothing that looks like a plan.
    package func discardRun() throws(SystemError) {
        if try Files.statusIfPresent(plan) != nil { try Files.unlink(plan) }
        try Files.removeTree(run)
    }

    /// The data set of the unfinished run's corrections.
    package static let corrections = "corrections"
}
