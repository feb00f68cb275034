// The control API: from a request to the dispatcher and back.
//
// Handlers run on their connection's thread. They never touch the dispatcher's state: they leave it a job and wait.

import FoundationEssentials
import FoveaControl
import FoveaHistory
import FoveaModels
import FoveaPipeline
import FoveaSystem
import Glibc
import SystemPackage

/// Answers the control API's requests.
struct ControlRouter: Sendable {
    let mailbox: Mailbox
    let history: History
    let watchers: Watchers
    /// The largest image that a client may send, in bytes.
    let fileLimit: Int

    /// Longest time that an answer may take, in seconds: for questions, and for work.
    private static let patience = 30, longPatience = 3600

    func answer(_ request: HTTPRequest) -> HTTPResponse {
        switch (request.method, request.path) {
        case ("GET", Routes.status): return ask { $0.status() }
        case ("GET", Routes.watch):
            return HTTPResponse(contentType: "application/x-ndjson", body: .stream(watchers.add()))
        case ("GET", Routes.why): return why(request)
        case ("GET", Routes.activeModel): return activeModel()
        case ("POST", Routes.classify): return classify(request)
        case ("POST", Routes.swap): return swap(request)
        case ("POST", Routes.rollback):
            return receipt { dispatcher, reply in
                if let refusal = dispatcher.refusalOfRollback() { return reply.set(refusal) }
                dispatcher.beginRollback(reply: reply)
            }
        case ("POST", Routes.queue(.pause)): return ask { $0.pause() }
        case ("POST", Routes.queue(.resume)): return ask { $0.resume() }
        case ("POST", Routes.queue(.retry)):
            return retry(request)
        case ("POST", Routes.queue(.drain)):
            let reply = OneShot<QueueAnswer>()
            mailbox.run { $0.drain(reply: reply) }
            return reply.wait(seconds: Self.longPatience).map { .json($0) } ?? tooLong
        default:
            return .failure(
                404, code: "not-found", message: "There is no \(request.method) \(request.path).",
                hint: "The paths are listed in docs/operations.md.")
        }
    }

    private var tooLong: HTTPResponse {
        .failure(503, code: "busy", message: "The daemon gave no answer in time.", hint: "Try again.")
    }

    /// Asks the dispatcher something and waits for its answer.
    private func ask<Answer: Encodable & Sendable>(
        _ question: @escaping @Sendable (Dispatcher) -> Answer
    ) -> HTTPResponse {
        let reply = OneShot<Answer>()
        mailbox.run { reply.set(question($0)) }
        return reply.wait(seconds: Self.patience).map { .json($0) } ?? tooLong
    }

    private func activeModel() -> HTTPResponse {
        let reply = OneShot<ModelAnswer?>()
        mailbox.run { reply.set($0.modelAnswer()) }
        guard let answer = reply.wait(seconds: Self.patience) else { return tooLong }
        return answer.map { .json($0) }
            ?? .failure(503, code: "no-model", message: "No model serves yet.", hint: "Try again in a moment.")
    }

    private func why(_ request: HTTPRequest) -> HTTPResponse {
        guard let name = request.query["file"], !name.isEmpty else {
            return .failure(400, code: "usage", message: "The argument file= is missing.")
        }
        let reply = OneShot<(ImageName, WhyAnswer?)>()
        mailbox.run { dispatcher in
            let name = dispatcher.imageName(name)
            let inFlight = name.candidates.lazy.compactMap { dispatcher.whyInFlight($0) }.first
            reply.set((name, inFlight ?? dispatcher.whyWaiting(name)))
        }
        guard let (names, now) = reply.wait(seconds: Self.patience) else { return tooLong }
        if let now { return .json(now) }
        do {
            for candidate in names.candidates {
                if let answer = try history.why(candidate) { return .json(answer) }
            }
            return .failure(
                404, code: "not-found", message: "Nothing is known of '\(name)'.",
                hint: "Give the name it had below the inbox, its path below the outbox, or its id.")
        } catch {
            return .failure(500, code: "history", message: "The history cannot be read: \(error).")
        }
    }

    private func classify(_ request: HTTPRequest) -> HTTPResponse {
        let reply = OneShot<Result<ResultRecord, ErrorRecord>>()
        do {
            let memory = try memoryFile("image")
            try Files.write(request.body, to: memory)
            let name = FilePath(bytes: percentUnescaped(request.query["name"] ?? "image").filter { $0 != 0 })
            let bytes = request.body.count
            mailbox.run { $0.classify(memory, name: name.isEmpty ? "image" : name, bytes: bytes, reply: reply) }
        } catch {
            return .failure(503, code: "busy", message: "The image cannot be held in memory: \(error).")
        }
        switch reply.wait(seconds: Self.patience) {
        case .success(let record): return HTTPResponse(body: .bytes(record.json() + [0x0A]))
        case .failure(let record) where ["not-serving", "stopping", WorkerFault.lost].contains(record.reason):
            let hint =
                record.reason == WorkerFault.lost
                ? "Try again; where it is always this image, a plugin cannot take it: see 'foveactl plugin check'."
                : "Try again in a moment; 'foveactl status' says how it is."
            return .failure(503, code: record.reason, message: record.message, hint: hint)
        case .failure(let record):
            return .failure(422, code: record.reason, message: record.message)
        case nil: return tooLong
        }
    }

    private func swap(_ request: HTTPRequest) -> HTTPResponse {
        guard let body = try? JSONDecoder().decode(SwapRequest.self, from: Data(request.body)) else {
            return .failure(
                400, code: "usage", message: "The body must be {\"model\": \"NAME\"} or {\"model\": \"NAME@VERSION\"}.")
        }
        return receipt { dispatcher, reply in
            if let refusal = dispatcher.refusalOfSwap(to: body.model, replacing: body.replacing) {
                return reply.set(refusal)
            }
            dispatcher.beginSwap(to: body.model, reply: reply)
        }
    }

    private func retry(_ request: HTTPRequest) -> HTTPResponse {
        let text = request.query["file"]
        let reply = OneShot<QueueAnswer>()
        mailbox.run { dispatcher in reply.set(dispatcher.retry(only: text.map { dispatcher.imageName($0) })) }
        guard let answer = reply.wait(seconds: Self.patience) else { return tooLong }
        if let text, answer.images == 0, answer.problems == nil {
            return .failure(
                404, code: "not-found", message: "There is no failed image '\(text)'.",
                hint: "Give its name below failed/ in the outbox, or its id.")
        }
        return .json(answer)
    }

    private func receipt(_ begin: @escaping @Sendable (Dispatcher, OneShot<SwapReceipt>) -> Void) -> HTTPResponse {
        let reply = OneShot<SwapReceipt>()
        mailbox.run { begin($0, reply) }
        guard let receipt = reply.wait(seconds: Self.longPatience) else { return tooLong }
        let status =
            switch (receipt.outcome, receipt.refusal) {
            case (.switched, _): 200
            case (_, .invalidName): 400
            case (_, .notFound): 404
            case (_, .busy): 503
            case (_, .overtaken), (_, nil): 409
            }
        return .json(receipt, status: status)
    }

    /// How large a body may be.
    @Sendable func bodyLimit(method: String, path: String) -> Int {
        path == Routes.classify ? fileLimit : 64 << 10
    }
}
