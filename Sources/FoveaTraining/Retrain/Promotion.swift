import FoveaCLI
import FoveaControl
import FoveaHistory
import FoveaModels
import FoveaSystem
import Glibc
import SystemPackage

/// Lets a model serve: by the daemon's ordinary swap, which proves it, or, where no daemon runs, by `active.json` for its
/// next start, which proves it too.
struct Promotion {
    let configuration: Configuration

    /// What came of it.
    enum Outcome {
        case serves
        /// No daemon runs: from its next start on.
        case atNextStart
        /// Another model than the champion serves meanwhile.
        case overtaken(String)
        /// The daemon does not take it, for good.
        case refused(String)
    }

    /// - Throws: `Failure` where it may go another time.
    func promote(_ model: ActiveModel.Entry, over champion: ActiveModel.Entry) throws -> Outcome {
        let name = "\(model.name)@\(model.version)"
        let client = ControlClient(socket: configuration.socket, timeout: .seconds(600))
        do throws(ControlError) {
            let answer = try client.request(
                "POST", Routes.swap, body: Array(SwapRequest(model: name, replacing: champion.sha256).json))
            guard let receipt = try? ControlClient.decode(answer.body, as: SwapReceipt.self) else {
                throw ControlClient.refusal(answer)
            }
            switch (receipt.outcome, receipt.refusal) {
            case (.switched, _):
                guard receipt.new?.sha256 == model.sha256 else {
                    throw .broken("another model called \(name) serves: the daemon has other folders")
                }
                return .serves
            case (.refused, .overtaken): return .overtaken(receipt.reason ?? "another model serves")
            case (.refused, nil): return .refused(receipt.reason ?? "no reason given")
            case (.refused, .busy):
                throw .refused(
                    503, .init(code: "busy", message: "The daemon does not swap now: \(receipt.reason ?? "")"))
            case (.refused, .notFound), (.refused, .invalidName):
                throw .refused(
                    404,
                    .init(
                        code: "not-found", message: "The daemon at \(configuration.socket.escaped) does not know it",
                        hint: "It has other folders: give both the same configuration."))
            }
        } catch {
            if case .unreachable = error { return try write(model, name, over: champion) }
            throw Failure("\(name) is better and does not serve yet: \(error)", error.exitStatus)
        }
    }

    /// Only while no daemon runs on this state folder, which holds its lock.
    private func write(
        _ model: ActiveModel.Entry, _ name: String, over champion: ActiveModel.Entry
    ) throws -> Outcome {
        guard let state = try FolderLock.take(configuration.state) else {
            throw Failure.tryAgain(
                "a daemon works on \(configuration.state.escaped) but does not answer at "
                    + "\(configuration.socket.escaped): `foveactl model swap \(name)` lets the challenger serve")
        }
        defer { try? state.close() }
        let store = configuration.store()
        guard let lock = try store.lock() else { throw Failure.tryAgain("\(name) is better: a model is being removed") }
        defer { lock.release() }
        _ = try store.resolve(name)
        if let active = try ActiveModel.read(configuration.activeFile)?.active, active != champion {
            return .overtaken(
                "\(active.name)@\(active.version) serves now instead of \(champion.name)@\(champion.version)")
        }
        let usual = HistoryReader.usualConfidence(
            of: "\(champion.name)@\(champion.version)", state: configuration.state)
        try ActiveModel(active: model, previous: champion, usualConfidence: usual)
            .write(configuration.activeFile)
        return .atNextStart
    }
}
