// From a configuration to a running service, and back to nothing.
//
// The order matters. inotify first, because libinotifytools cannot use descriptors above 1023, and because what is
// dropped from here on must be noticed. Then the locks, before anything is touched. Then recovery, before anything new
// is taken. The control socket last: who can connect finds a daemon that answers.

import CLinux
import FoveaControl
import FoveaHistory
import FoveaModels
import FoveaSystem
import Glibc
import Logging
import Synchronization
import SystemPackage

/// This version of Fovea.
package let foveaVersion = "0.1.0"

/// Why the daemon could not start or go on.
package struct DaemonError: ExitStatusProviding, CustomStringConvertible {
    package let exitStatus: ExitStatus
    package let description: String

    init(_ exitStatus: ExitStatus, _ description: String) {
        self.exitStatus = exitStatus
        self.description = description
    }
}

/// The service.
package struct Daemon {
    private let configuration: Configuration
    private let log: Logger

    package init(configuration: Configuration, log: Logger) {
        self.configuration = configuration
        self.log = log
    }

    /// Serves until SIGTERM or SIGINT. To be called on the main thread, which ends with the process: workers are
    /// spawned by it and would be killed with it.
    package func run() throws {
        cl_block_signals()
        umask(mode_t(configuration.umask))
        do {
            for folder in [configuration.inbox, configuration.outbox, configuration.state] {
                try Files.makeDirectories(folder)
            }
        } catch {
            throw DaemonError(
                error.errno == .permissionDenied ? .noPermission : .cannotCreate,
                "\(error). Give fovead folders that it may write, in the configuration.")
        }
        let inbox = try Files.resolve(configuration.inbox)
        let mailbox = try Mailbox()
        raiseDescriptorLimit()
        let watcher = try InboxWatcher(root: inbox) { mailbox.post($0) }
        let locks = try [inbox, Files.resolve(configuration.state)].map(lock)
        defer { for lock in locks { try? lock.close() } }

        let history = try History(state: configuration.state, keep: configuration.history, log: log)
        history.start()
        let ledger = try Ledger(inbox: inbox, outbox: configuration.outbox, state: configuration.state)
        let recovered = try recover(ledger, history)
        if history.isNew {
            let outbox = configuration.outbox
            startThread("rebuild") { history.rebuild(from: outbox) }
        }

        let watchers = Watchers()
        let dispatcher = Dispatcher(
            configuration: configuration, inbox: inbox, ledger: ledger, history: history, watchers: watchers,
            mailbox: mailbox, watcher: watcher, workerExecutable: programDirectory().appending("fovea-worker"),
            candidates: firstModels(), log: log)
        for image in recovered {
            dispatcher.queue.append(
                Item(source: .spool(image), id: image.id, file: image.file, taken: monotonicNanoseconds()))
        }
        watcher.start()
        let server = try controlServer(mailbox, history, watchers)
        handleSignals(mailbox)
        dispatcher.tryNextCandidate(nil)
        log.notice("fovead \(foveaVersion) watches \(inbox.escaped) (\(watcher.mode.rawValue))")

        let failure = dispatcher.run()
        watchers.finish()
        server.listener.remove()
        // Handlers that still wait for the dispatcher would wait in vain.
        server.http.stopSoon()
        history.note("stopped", "after \(dispatcher.counts.published) images")
        history.stop()
        if let failure {
            throw DaemonError(.data, "no model can serve: \(failure). See 'foveactl model list', then set 'model:'.")
        }
        log.notice("stopped")
    }

    private func lock(_ folder: FilePath) throws -> FileDescriptor {
        guard let lock = try FolderLock.take(folder) else {
            throw DaemonError(
                .tryAgain, "another fovead works on \(folder.escaped). Stop it first, or give this one other folders.")
        }
        return lock
    }

    private func recover(_ ledger: Ledger, _ history: History) throws -> [ClaimedImage] {
        let recovery = try ledger.recover()
        if recovery.tornBytes > 0 {
            log.notice(
                "the journal ended with \(recovery.tornBytes) bytes of an unfinished line: nothing is lost by it")
        }
        if let error = recovery.postponed { log.error("the old journal is kept for now: \(error)") }
        let entries = recovery.outcomes.compactMap { outcome, path -> HistoryEntry? in
            var entry = History.entry(document: outcome.document)
            entry?.path = path.escaped
            return entry
        }
        history.note(entries)
        if !recovery.images.isEmpty { log.notice("\(recovery.images.count) images from before are in the spool") }
        return recovery.images
    }

    /// What served last, what served before that, and what the configuration names: the first that can serves.
    private func firstModels() -> [String] {
        var names: [String] = []
        do throws(ModelError) {
            if let active = try ActiveModel.read(configuration.activeFile) {
                names = [active.active, active.previous].compactMap { $0.map { "\($0.name)@\($0.version)" } }
            }
        } catch {
            log.warning("\(error); the configured model is used")
        }
        if !names.contains(configuration.model) { names.append(configuration.model) }
        return names
    }

    /// Each image under way is a descriptor, here and for a moment in a socket; the soft limit is for programs that use
    /// select(2).
    private func raiseDescriptorLimit() {
        var limit = rlimit()
        let kind = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        guard getrlimit(kind, &limit) == 0 else { return }
        limit.rlim_cur = min(limit.rlim_max, 65536)
        setrlimit(kind, &limit)
    }

    private func controlServer(
        _ mailbox: Mailbox, _ history: History, _ watchers: Watchers
    ) throws -> (listener: UnixListener, http: HTTPServer) {
        let router = ControlRouter(
            mailbox: mailbox, history: history, watchers: watchers, fileLimit: configuration.limits.file)
        var limits = HTTPServer.Limits()
        limits.body = router.bodyLimit
        do {
            let listener = try UnixListener(configuration.socket)
            return (listener, try HTTPServer(listener: listener.descriptor, limits: limits) { router.answer($0) })
        } catch {
            throw DaemonError(
                .cannotCreate, "the control socket cannot be made: \(error). Set 'socket:' to another path.")
        }
    }

    /// SIGTERM and SIGINT stop in order, a second one at once. SIGHUP is for daemons that reread their configuration:
    /// this one is restarted.
    private func handleSignals(_ mailbox: Mailbox) {
        let log = self.log
        startThread("signals") {
            var stops = 0
            while true {
                let signal = cl_wait_signal()
                if signal == SIGHUP {
                    log.notice("SIGHUP: nothing is reread while running; restart fovead to change its configuration")
                    continue
                }
                stops += 1
                if stops > 1 { _exit(128 + signal) }
                mailbox.run { $0.stop() }
            }
        }
    }
}

extension HTTPServer {
    /// Stops in a thread of its own and waits a moment: a handler that hangs must not keep the process.
    fileprivate func stopSoon() {
        let stopped = OneShot<Bool>()
        startThread("http stop") {
            self.stop()
            stopped.set(true)
        }
        _ = stopped.wait(seconds: 2)
    }
}
