import CLinux
import FoveaControl
import FoveaModels
import FoveaSystem
import Glibc
import SystemPackage

/// Lets a model serve: by the daemon's ordinary swap, which proves it, or, where no daemon runs, by `active.json` for its
/// next start, which proves it too.
struct Promotion {
    let configuration: Configuration

    /// How it was done.
    enum Way { case swapped(SwapReceipt), atNextStart }

    /// - Throws: `Failure` where the daemon refuses; the old model serves on.
    func promote(_ model: ModelIdentifier, sha256: String, over champion: ActiveModel.Entry) throws -> Way {
        let client = ControlClient(socket: configuration.socket, timeout: .seconds(600))
        do {
            let answer = try client.request(
                "POST", Routes.swap, body: Array(SwapRequest(model: model.description).json))
            let receipt = try ControlClient.decode(answer.body, as: SwapReceipt.self)
            guard receipt.outcome == .switched else {
                throw Failure(
                    message: "the daemon refuses \(model): \(receipt.reason ?? "no reason given"); \(champion.name)@"
                        + "\(champion.version) serves on, and `foveactl model swap \(model)` tries again",
                    code: receipt.refusal == .busy ? 75 : 65)
            }
            return .swapped(receipt)
        } catch ControlError.unreachable {
            try write(model, sha256: sha256, over: champion)
            return .atNextStart
        }
    }

    /// Only while no daemon runs on this state folder, which holds its lock.
    private func write(_ model: ModelIdentifier, sha256: String, over champion: ActiveModel.Entry) throws {
        let folder = try Files.open(configuration.state, O_RDONLY | O_DIRECTORY)
        defer { try? folder.close() }
        do {
            try retrying("flock", configuration.state.escaped) { cl_flock_exclusive(folder.rawValue) }
        } catch {
            throw Failure(
                message: "a daemon works on \(configuration.state.escaped) but does not answer at "
                    + "\(configuration.socket.escaped): `foveactl model swap \(model)` lets the challenger serve",
                code: 75)
        }
        try ActiveModel(active: ActiveModel.Entry(model, sha256: sha256), previous: champion)
            .write(configuration.activeFile)
    }
}
