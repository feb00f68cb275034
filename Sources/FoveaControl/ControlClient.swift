import CHTTP
import FoundationEssentials
import FoveaSystem
import SystemPackage

/// Talks to a daemon over its unix socket. Calls block; a value may be used by several threads.
package struct ControlClient: Sendable {
    package let socket: FilePath
    /// For a whole exchange; zero is none. Streams have none.
    package var timeout: Duration = .seconds(60)

    package init(socket: FilePath, timeout: Duration = .seconds(60)) {
        self.socket = socket
        self.timeout = timeout
    }

    /// An answer, whatever its status.
    package struct Answer: Sendable {
        package let status: Int
        package let body: [UInt8]
    }

    /// Makes a request.
    ///
    /// - Parameters:
    ///   - path: one of `Routes`.
    ///   - query: arguments, not yet percent-encoded.
    package func request(
        _ method: String, _ path: String, query: [(String, String)] = [], body: [UInt8]? = nil,
        contentType: String = "application/json"
    ) throws(ControlError) -> Answer {
        var received: [UInt8] = []
        let status = try perform(method, path, query, body, contentType, timeout) { _, bytes in
            received += bytes
            return true
        }
        return Answer(status: status, body: received)
    }

    /// Makes a request and reads the answer as `Response`; an `ErrorAnswer` is thrown as `.refused`.
    package func call<Response: Decodable>(
        _ method: String, _ path: String, query: [(String, String)] = [], body: [UInt8]? = nil,
        contentType: String = "application/json", as type: Response.Type = Response.self
    ) throws(ControlError) -> Response {
        let answer = try request(method, path, query: query, body: body, contentType: contentType)
        guard (200..<300).contains(answer.status) else { throw Self.refusal(answer) }
        return try Self.decode(answer.body)
    }

    /// As `call`, with a message as the body.
    package func call<Response: Decodable>(
        _ method: String, _ path: String, sending message: some Encodable, as type: Response.Type = Response.self
    ) throws(ControlError) -> Response {
        let body: Data
        do { body = try JSONEncoder().encode(message) } catch { throw .broken("\(error)") }
        return try call(method, path, body: Array(body))
    }

    /// Follows a stream line by line until it ends or `line` returns false. A daemon that dies ends it with `.lost`.
    package func stream(
        _ path: String, query: [(String, String)] = [], line: ([UInt8]) -> Bool
    ) throws(ControlError) {
        var rest: [UInt8] = []
        var refused: [UInt8] = []
        let status = try perform("GET", path, query, nil, nil, .zero) { status, bytes in
            if status != 200 {
                refused += bytes
                return refused.count < 1 << 16
            }
            rest += bytes
            var start = 0
            while let end = rest[start...].firstIndex(of: UInt8(ascii: "\n")) {
                let more = line(Array(rest[start..<end]))
                start = end + 1
                if !more { return false }
            }
            rest.removeFirst(start)
            return true
        }
        if status != 200 { throw Self.refusal(Answer(status: status, body: refused)) }
    }

    /// A message in an answer.
    package static func decode<Response: Decodable>(
        _ body: [UInt8], as type: Response.Type = Response.self
    ) throws(ControlError) -> Response {
        do {
            return try JSONDecoder().decode(type, from: Data(body))
        } catch {
            throw .broken("the answer is not a \(type): \(error)")
        }
    }

    /// The error in an answer that is not a success.
    package static func refusal(_ answer: Answer) -> ControlError {
        if let error = try? decode(answer.body, as: ErrorAnswer.self) { return .refused(answer.status, error.error) }
        return .broken("status \(answer.status) without an explanation")
    }

    private func perform(
        _ method: String, _ path: String, _ query: [(String, String)], _ body: [UInt8]?, _ contentType: String?,
        _ timeout: Duration, _ chunk: (Int, UnsafeRawBufferPointer) -> Bool
    ) throws(ControlError) -> Int {
        let arguments = query.map { "\(Self.encode($0.0))=\(Self.encode($0.1))" }.joined(separator: "&")
        let target = arguments.isEmpty ? path : "\(path)?\(arguments)"
        var status = 0
        var message = [CChar](repeating: 0, count: 256)
        let result = withoutActuallyEscaping(chunk) { chunk -> Int32 in
            var receiver = Receiver(chunk: chunk)
            return withUnsafeMutablePointer(to: &receiver) { receiver in
                (body ?? []).withUnsafeBytes { bytes in
                    socket.withPlatformString { socket in
                        method.withCString { method in
                            target.withCString { target in
                                (contentType ?? "").withCString { type in
                                    var exchange = chttp_exchange()
                                    exchange.socket_path = socket
                                    exchange.method = method
                                    exchange.target = target
                                    exchange.body = body == nil ? nil : bytes.baseAddress
                                    exchange.body_size = bytes.count
                                    exchange.content_type = body == nil ? nil : type
                                    exchange.timeout_milliseconds = timeout.milliseconds
                                    exchange.chunk = { context, status, bytes, size in
                                        let receiver = context!.assumingMemoryBound(to: Receiver.self)
                                        let piece = UnsafeRawBufferPointer(start: bytes, count: size)
                                        return receiver.pointee.chunk(status, piece) ? 0 : 1
                                    }
                                    exchange.context = UnsafeMutableRawPointer(receiver)
                                    return chttp_perform(&exchange, &status, &message)
                                }
                            }
                        }
                    }
                }
            }
        }
        let text = String(decoding: message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        switch Int(result) {
        case chttp_done, chttp_stopped: return status
        case chttp_unreachable: throw .unreachable(socket)
        case chttp_denied: throw .denied(socket)
        case chttp_timed_out: throw .timedOut(timeout)
        case chttp_lost: throw .lost(socket)
        default: throw .broken(text)
        }
    }

    private struct Receiver { let chunk: (Int, UnsafeRawBufferPointer) -> Bool }

    /// Percent-encoding of everything that RFC 3986 does not call unreserved.
    static func encode(_ text: String) -> String {
        var encoded = ""
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                encoded.unicodeScalars.append(Unicode.Scalar(byte))
            default: encoded += "%" + hexadecimal([byte]).uppercased()
            }
        }
        return encoded
    }
}

/// Why an exchange with the daemon did not succeed.
package enum ControlError: Error, Sendable, CustomStringConvertible {
    /// Nobody listens at the socket.
    case unreachable(FilePath)
    case denied(FilePath)
    case timedOut(Duration)
    /// The connection was closed without a whole answer: the daemon has ended, or has no room for another connection.
    case lost(FilePath)
    /// The daemon says no, with an HTTP status and its reason.
    case refused(Int, ErrorAnswer.Detail)
    /// The answer makes no sense.
    case broken(String)

    package var description: String {
        switch self {
        case .unreachable(let socket):
            "No daemon answers at \(Self.place(socket)). Start it with `fovead`, or name its socket with --socket."
        case .denied(let socket):
            "You may not use \(Self.place(socket)). Join the socket's group, or become the user that runs the daemon."
        case .timedOut(let timeout):
            "The daemon did not answer within \(Units.show(seconds: timeout.seconds)). `foveactl doctor` looks at why."
        case .lost(let socket):
            "The daemon at \(Self.place(socket)) closed the connection without an answer: it has ended, or has as many "
                + "connections as it takes. Try again; `foveactl doctor` looks at why."
        case .refused(_, let detail):
            detail.hint.isEmpty ? sentence(detail.message) : "\(sentence(detail.message)) \(sentence(detail.hint))"
        case .broken(let reason):
            "\(sentence("The exchange with the daemon broke: \(reason)")) Look into the daemon's log."
        }
    }

    private static func place(_ socket: FilePath) -> String {
        Configuration.workingDirectory().pushing(socket).escaped
    }

    /// The daemon has understood, and says no.
    package var isRefusal: Bool { if case .refused = self { true } else { false } }
}

extension Duration {
    /// Whole milliseconds.
    package var milliseconds: Int {
        Int(components.seconds) * 1000 + Int(components.attoseconds / 1_000_000_000_000_000)
    }

    package var seconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
