// The Swift face of CHTTP's server: requests and answers as values, streams as objects.
//
// The daemon's work is done by threads that block, and a control API sees a request now and then, so a thread for
// each connection is the plainest thing that works: no event loop to protect from a slow handler.

import CHTTP
import CLinux
import FoveaSystem
import Glibc
import Synchronization
import SystemPackage

/// A request with its whole body.
package struct HTTPRequest: Sendable {
    package let method: String
    /// Percent-decoded, without the query.
    package let path: String
    /// Percent-decoded arguments of the query; of a repeated one the last counts.
    package let query: [String: String]
    /// By lower-case name; of a repeated one the last counts.
    package let headers: [String: String]
    package let body: [UInt8]
    /// Who is at the other end of a unix socket (SO_PEERCRED); nil on TCP.
    package let peer: Peer?

    package struct Peer: Sendable, Equatable {
        package let pid: Int32
        package let user: UInt32
        package let group: UInt32
    }

    package init(
        method: String, path: String, query: [String: String] = [:], headers: [String: String] = [:],
        body: [UInt8] = [], peer: Peer? = nil
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.body = body
        self.peer = peer
    }
}

/// An answer: bytes, or a stream.
package struct HTTPResponse: Sendable {
    package var status: Int
    package var contentType: String
    package var headers: [String: String] = [:]
    package var body: Body

    package enum Body: Sendable {
        case bytes([UInt8])
        /// Sent as it comes. The server calls `HTTPStream.cancel` when the client has gone or the server stops.
        case stream(HTTPStream)
    }

    package init(status: Int = 200, contentType: String = "application/json", body: Body) {
        self.status = status
        self.contentType = contentType
        self.body = body
    }
}

/// An HTTP server on a socket that listens.
///
/// The handler is called on the connection's thread, several at a time, and may block. Stopping waits for handlers
/// that run, so whatever they wait for must end first; streams end by themselves.
package final class HTTPServer: Sendable {
    /// Bounds of what clients may cost.
    package struct Limits: Sendable {
        package var connections: UInt32 = 64
        /// Answers that go on (watchers), at most: fewer than connections, so that there is always room to command.
        package var streams = 32
        /// Of silence.
        package var timeoutSeconds: UInt32 = 30
        /// Bytes of request line and headers.
        package var header = 32 << 10
        /// Bytes of a body, by method and path.
        package var body: @Sendable (_ method: String, _ path: String) -> Int = { _, _ in 1 << 20 }

        package init() {}
    }

    package typealias Handler = @Sendable (HTTPRequest) -> HTTPResponse

    private let server: OpaquePointerBox
    private let context: Context

    /// Starts serving.
    ///
    /// - Parameter listener: a listening socket, such as `UnixListener.descriptor`; the server closes it when it stops.
    package init(
        listener: FileDescriptor, limits: Limits = Limits(), handler: @escaping Handler
    ) throws(SystemError) {
        context = Context(handler: handler, limits: limits)
        var options = chttp_server_options()
        options.listener = listener.rawValue
        options.connection_limit = limits.connections
        options.timeout_seconds = limits.timeoutSeconds
        options.header_limit = limits.header
        options.handler = { context, request, reply in
            Context.of(context!).answer(request!.pointee, request!, reply!)
        }
        options.body_limit = { context, method, path in
            Context.of(context!).bodyLimit(String(cString: method!), String(cString: path!))
        }
        options.context = Unmanaged.passUnretained(context).toOpaque()
        guard let started = chttp_server_start(&options) else {
            throw SystemError("MHD_start_daemon", errno: Errno(rawValue: errno))
        }
        server = OpaquePointerBox(pointer: started)
    }

    /// Ends streams, closes connections and the listener, and waits for handlers. Call it exactly once.
    package func stop() { chttp_server_stop(server.pointer) }

    /// The C library's handle is safe from any thread.
    private struct OpaquePointerBox: @unchecked Sendable { let pointer: OpaquePointer }

    private final class Context: Sendable {
        let handler: Handler
        let bodyLimit: @Sendable (String, String) -> Int
        private let streamLimit: Int
        private let streams = Mutex(0)

        init(handler: @escaping Handler, limits: Limits) {
            self.handler = handler
            bodyLimit = limits.body
            streamLimit = limits.streams
        }

        /// Counts one more stream, where there is room for it.
        private func openStream() -> Bool {
            streams.withLock { count in
                if count >= streamLimit { return false }
                count += 1
                return true
            }
        }

        private func closeStream() { streams.withLock { $0 -= 1 } }

        /// A stream as the C side holds it.
        private final class OpenStream: Sendable {
            let stream: HTTPStream
            let context: Context

            init(_ stream: HTTPStream, _ context: Context) {
                self.stream = stream
                self.context = context
            }
        }

        static func of(_ pointer: UnsafeMutableRawPointer) -> Context {
            Unmanaged<Context>.fromOpaque(pointer).takeUnretainedValue()
        }

        func answer(_ request: chttp_request, _ pointer: UnsafePointer<chttp_request>, _ reply: OpaquePointer) {
            var response = handler(HTTPRequest(request, pointer))
            if case .stream(let stream) = response.body, !openStream() {
                stream.cancel()
                response = .failure(
                    503, code: "too-many-watchers",
                    message: "\(streamLimit) watchers are connected already, which is the most.",
                    hint: "End one of them, or try again later.")
            }
            switch response.body {
            case .bytes(let bytes):
                bytes.withUnsafeBytes {
                    chttp_reply_bytes(reply, Int32(response.status), $0.baseAddress, $0.count)
                }
            case .stream(let stream):
                chttp_reply_stream(
                    reply, Int32(response.status),
                    { context, milliseconds, buffer, room, size in
                        let stream = Unmanaged<OpenStream>.fromOpaque(context!).takeUnretainedValue().stream
                        let into = UnsafeMutableRawBufferPointer(start: buffer, count: room)
                        switch stream.take(into: into, milliseconds: Int(milliseconds)) {
                        case .bytes(let count):
                            size!.pointee = count
                            return Int32(chttp_stream_bytes)
                        case .nothing: return Int32(chttp_stream_nothing)
                        case .end: return Int32(chttp_stream_end)
                        }
                    },
                    { context in
                        let open = Unmanaged<OpenStream>.fromOpaque(context!).takeRetainedValue()
                        open.context.closeStream()
                        open.stream.cancel()
                    },
                    Unmanaged.passRetained(OpenStream(stream, self)).toOpaque())
            }
            chttp_reply_header(reply, "Content-Type", response.contentType)
            for (name, value) in response.headers { chttp_reply_header(reply, name, value) }
        }
    }
}

extension HTTPRequest {
    fileprivate init(_ request: chttp_request, _ pointer: UnsafePointer<chttp_request>) {
        var pid: pid_t = 0
        var user: uid_t = 0
        var group: gid_t = 0
        let known = cl_peer_credentials(request.descriptor, &pid, &user, &group) == 0 && pid != 0
        self.init(
            method: String(cString: request.method), path: String(cString: request.path),
            query: Self.collect(pointer, chttp_each_query, lowercased: false),
            headers: Self.collect(pointer, chttp_each_header, lowercased: true),
            body: Array(UnsafeBufferPointer(start: request.body, count: request.body_size)),
            peer: known ? Peer(pid: pid, user: user, group: group) : nil)
    }

    private static func collect(
        _ request: UnsafePointer<chttp_request>,
        _ each: (UnsafePointer<chttp_request>?, chttp_each?, UnsafeMutableRawPointer?) -> Void, lowercased: Bool
    ) -> [String: String] {
        var found: [String: String] = [:]
        withUnsafeMutablePointer(to: &found) { pointer in
            each(
                request,
                { context, name, value, size in
                    let found = context!.assumingMemoryBound(to: [String: String].self)
                    let bytes = UnsafeRawBufferPointer(start: value, count: size)
                    found.pointee[String(cString: name!)] = String(decoding: bytes, as: UTF8.self)
                }, pointer)
        }
        if !lowercased { return found }
        return Dictionary(found.map { ($0.key.lowercased(), $0.value) }, uniquingKeysWith: { $1 })
    }
}
