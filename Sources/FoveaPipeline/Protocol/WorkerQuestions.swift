import FoveaSystem
import Glibc
import SystemPackage

/// Asks a sandboxed worker about many files, group by group. Where a group ends the worker, or takes too long, each of its
/// files is tried alone, so that one bad file costs itself and no other.
package final class WorkerQuestions<Answer> {
    private let root: FilePath
    private let start: WorkerStart
    private let executable: FilePath?
    private let group: Int
    private let ask: (WorkerClient, [FileDescriptor]) throws -> [Result<Answer, WorkerFault>]
    private var worker: WorkerClient?

    /// - Parameters:
    ///   - root: what paths are below.
    ///   - executable: nil is `fovea-worker` beside the running program.
    ///   - group: files that the worker gets before its answers are waited for.
    ///   - ask: gives one answer for each open file.
    package init(
        root: FilePath, start: WorkerStart, executable: FilePath? = nil, group: Int,
        ask: @escaping (WorkerClient, [FileDescriptor]) throws -> [Result<Answer, WorkerFault>]
    ) {
        (self.root, self.start, self.executable, self.group, self.ask) = (root, start, executable, group, ask)
    }

    deinit { _ = worker?.end() }

    /// - Returns: one answer for each path.
    /// - Throws: `WorkerFault` where the worker will not serve at all: the model or a plugin is at fault.
    package func answers(to paths: [FilePath]) throws -> [Result<Answer, WorkerFault>] {
        var answers: [Result<Answer, WorkerFault>] = []
        while answers.count < paths.count {
            let group = Array(paths[answers.count...].prefix(group))
            if let all = try attempt(group) {
                answers += all
                continue
            }
            for path in group {
                answers +=
                    try attempt([path]) ?? [
                        .failure(
                            WorkerFault(code: WorkerFault.lost, text: "it ended the worker process, or took too long"))
                    ]
            }
        }
        return answers
    }

    /// nil where the worker has ended, made no sense or was too slow.
    private func attempt(_ paths: [FilePath]) throws -> [Result<Answer, WorkerFault>]? {
        let worker = try running()
        let files: [Result<FileDescriptor, WorkerFault>] = paths.map { path in
            do throws(SystemError) {
                return .success(try Files.open(root.pushing(path), O_RDONLY | O_NONBLOCK | O_NOFOLLOW))
            } catch {
                return .failure(WorkerFault(code: "unreadable", text: "\(error)"))
            }
        }
        let descriptors = files.compactMap { try? $0.get() }
        defer { for descriptor in descriptors { try? descriptor.close() } }
        do {
            var answers = descriptors.isEmpty ? [][...] : try ask(worker, descriptors)[...]
            return files.map { file in file.flatMap { _ in answers.removeFirst() } }
        } catch {
            // Whatever went wrong in the exchange (it ended, it was slow, its socket closed under a message), this worker is
            // of no more use.
            _ = worker.end()
            self.worker = nil
            return nil
        }
    }

    /// Ten minutes: a large model at idle priority beside a busy daemon takes its time.
    private func running() throws -> WorkerClient {
        if let worker { return worker }
        let new = try WorkerClient(start: start, executable: executable)
        do {
            try new.waitForHello(timeout: .seconds(600))
        } catch {
            _ = new.end()
            if case WorkerClientError.fault(let fault) = error { throw fault }
            throw error
        }
        worker = new
        return new
    }
}
