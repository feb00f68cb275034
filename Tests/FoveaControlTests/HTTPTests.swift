import FoveaCLI
import FoveaControl
import FoveaSystem
import Glibc
import Synchronization
import SystemPackage
import Testing

/// The server and the client, over a unix socket in a temporary folder.
@Suite struct HTTPTests {
    /// A server for one test.
    final class Service {
        let folder: TemporaryFolder
        let server: HTTPServer
        let client: ControlClient

        init(
            limits: HTTPServer.Limits = HTTPServer.Limits(), handler: @escaping HTTPServer.Handler
        ) throws {
            folder = try TemporaryFolder()
            let listener = try UnixListener(folder.path.appending("s"))
            server = try HTTPServer(listener: listener.descriptor, limits: limits, handler: handler)
            client = ControlClient(socket: listener.path, timeout: .seconds(20))
        }
    }

    /// What the socket answers to these bytes, until it closes.
    private func raw(_ socket: FilePath, _ request: String) throws -> String {
        let descriptor = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: socket.bytes) }
        let connected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        #expect(connected == 0)
        _ = request.utf8CString.withUnsafeBytes {
            send(descriptor, $0.baseAddress, $0.count - 1, Int32(MSG_NOSIGNAL))
        }
        var answer: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            if count <= 0 { return String(decoding: answer, as: UTF8.self) }
            answer += buffer[..<count]
        }
    }

    @Test func watchersLeaveRoomForCommands() throws {
        var limits = HTTPServer.Limits()
        limits.connections = 8
        limits.streams = 2
        let streams = Mutex<[HTTPStream]>([])
        let service = try Service(limits: limits) { request in
            guard request.path == "/watch" else { return HTTPResponse(body: .bytes([])) }
            let stream = HTTPStream()
            stream.send(Array("{}\n".utf8))
            streams.withLock { $0.append(stream) }
            return HTTPResponse(body: .stream(stream))
        }
        let client = service.client
        let seen = Mutex(0)
        for _ in 0..<2 {
            startThread("watcher") {
                try? client.stream("/watch") { _ in
                    seen.withLock { $0 += 1 }
                    return true
                }
            }
        }
        for _ in 0..<1000 where seen.withLock({ $0 }) < 2 { usleep(10_000) }
        #expect(seen.withLock { $0 } == 2)
        do throws(ControlError) {
            try client.stream("/watch") { _ in true }
            Issue.record("a third watcher was let in")
        } catch {
            guard case .refused(503, _) = error else { throw error }
            #expect(error.description.contains("2 watchers") && error.exitStatus == .tryAgain)
        }
        #expect(try client.request("GET", "/").status == 200)
        // One that has ended makes room.
        streams.withLock { $0[0].finish() }
        var isLetIn = false
        for _ in 0..<1000 where !isLetIn {
            isLetIn = (try? client.stream("/watch") { _ in false }) != nil
            usleep(10_000)
        }
        #expect(isLetIn)
        service.server.stop()
    }

    @Test func aRequestArrivesWhole() throws {
        let service = try Service { request in
            let query = request.query.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
            let lines = [
                request.method, request.path, query.joined(separator: "&"), request.headers["content-type"] ?? "-",
                "\(request.peer?.pid == getpid())", "\(request.peer?.user == getuid())",
            ]
            return HTTPResponse(
                status: 201, contentType: "text/plain",
                body: .bytes(Array(lines.joined(separator: "\n").utf8) + [0x0A] + request.body))
        }
        defer { service.server.stop() }
        let answer = try service.client.request(
            "POST", "/v1/x", query: [("file", "ä/%41 &=+?#.png"), ("b", "")], body: [1, 2, 0, 255],
            contentType: "image/png")
        #expect(answer.status == 201)
        let expected = "POST\n/v1/x\nb=&file=ä/%41 &=+?#.png\nimage/png\ntrue\ntrue\n"
        #expect(answer.body == Array(expected.utf8) + [1, 2, 0, 255])
        let empty = try service.client.request("GET", "/")
        #expect(String(decoding: empty.body, as: UTF8.self) == "GET\n/\n\n-\ntrue\ntrue\n")
    }

    @Test func aLargeBodyArrivesAndATooLargeOneIsRefused() throws {
        var limits = HTTPServer.Limits()
        limits.body = { _, path in path == "/large" ? 3 << 20 : 1000 }
        let service = try Service(limits: limits) { .json($0.body.count) }
        defer { service.server.stop() }
        let body = [UInt8](repeating: 7, count: 3 << 20)
        #expect(try service.client.call("POST", "/large", body: body, as: Int.self) == 3 << 20)
        #expect(try service.client.call("POST", "/small", body: Array(body.prefix(1000)), as: Int.self) == 1000)
        for (path, size) in [("/small", 1001), ("/large", (3 << 20) + 1)] {
            let answer = try service.client.request("POST", path, body: [UInt8](repeating: 7, count: size))
            #expect(answer.status == 413)
            let error = ControlClient.refusal(answer)
            guard case .refused(413, let detail) = error else {
                Issue.record("\(error)")
                continue
            }
            #expect(detail.code == "too-large" && error.exitStatus == .data)
        }
        let chunked = try raw(
            service.client.socket,
            "POST /small HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n1\r\na\r\n0\r\n\r\n"
        )
        #expect(chunked.hasPrefix("HTTP/1.1 411"))
    }

    @Test func aHeaderHasALimitAndNonsenseIsRefused() throws {
        let service = try Service { .json($0.path) }
        defer { service.server.stop() }
        let long = String(repeating: "a", count: 64 << 10)
        let large = try raw(service.client.socket, "GET / HTTP/1.1\r\nHost: x\r\nX-Long: \(long)\r\n\r\n")
        #expect(large.isEmpty || large.hasPrefix("HTTP/1.1 431"))
        #expect(!(try raw(service.client.socket, "nonsense\r\n\r\n").hasPrefix("HTTP/1.1 2")))
        #expect(try service.client.call("GET", "/ok", as: String.self) == "/ok")
    }

    @Test func connectionsAreBounded() throws {
        var limits = HTTPServer.Limits()
        limits.connections = 2
        let service = try Service(limits: limits) { request in
            let stream = HTTPStream()
            stream.send(Array("x\n".utf8))
            return HTTPResponse(body: .stream(stream))
        }
        defer { service.server.stop() }
        // Two streams hold both places; a third client gets none, whether it waits or is turned away.
        let held = try (0..<2).map { _ in try Follower(service.client, "/watch") }
        for follower in held { follower.waitForLine() }
        var third = service.client
        third.timeout = .milliseconds(300)
        #expect(throws: ControlError.self) { try third.request("GET", "/") }
    }

    @Test func aStreamComesAsItIsSentAndTheReaderMayStop() throws {
        let ended = Mutex(0)
        let stream = HTTPStream { ended.withLock { $0 += 1 } }
        let service = try Service { _ in HTTPResponse(body: .stream(stream)) }
        defer { service.server.stop() }
        stream.send(Array("first\n".utf8))
        var lines: [String] = []
        try service.client.stream("/watch") { line in
            lines.append(String(decoding: line, as: UTF8.self))
            // The second is sent only when the first has arrived.
            stream.send(Array("line \(lines.count)\n".utf8))
            return lines.count < 4
        }
        #expect(lines == ["first", "line 1", "line 2", "line 3"])
        // The server notices that the reader has gone without sending anything.
        for _ in 0..<200 where ended.withLock({ $0 }) == 0 { usleep(20_000) }
        #expect(ended.withLock { $0 } == 1)
        #expect(!stream.send([1]))
    }

    @Test func aFinishedStreamEndsTheAnswer() throws {
        let service = try Service { _ in
            let stream = HTTPStream()
            for index in 0..<5000 { stream.send(Array("line \(index)\n".utf8)) }
            stream.finish()
            return HTTPResponse(body: .stream(stream))
        }
        defer { service.server.stop() }
        var count = 0
        try service.client.stream("/watch") { line in
            #expect(String(decoding: line, as: UTF8.self) == "line \(count)")
            count += 1
            return true
        }
        #expect(count == 5000)
    }

    @Test func stoppingEndsStreams() throws {
        let service = try Service { _ in
            let stream = HTTPStream()
            stream.send(Array("x\n".utf8))
            return HTTPResponse(body: .stream(stream))
        }
        let follower = try Follower(service.client, "/watch")
        follower.waitForLine()
        service.server.stop()
        follower.wait()
        #expect(throws: ControlError.self) { try service.client.request("GET", "/") }
    }

    @Test func aSlowReaderLosesWholePiecesAndIsTold() {
        let stream = HTTPStream(limit: 10)
        for piece in ["12345\n", "678\n", "lost\n", "lost too\n"] { stream.send(Array(piece.utf8)) }
        var taken: [UInt8] = []
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 100, alignment: 1)
        defer { buffer.deallocate() }
        while case .bytes(let count) = stream.take(into: buffer, milliseconds: 0) { taken += buffer[..<count] }
        stream.finish()
        #expect(
            String(decoding: taken, as: UTF8.self) == "12345\n678\n{\"schema\":\"fovea.gap/1\",\"dropped\":2}\n")
    }

    @Test func aHandlerMayTakeLongerThanTheTimeout() throws {
        var limits = HTTPServer.Limits()
        limits.timeoutSeconds = 1
        let service = try Service(limits: limits) { _ in
            usleep(2_200_000)
            return .json("late")
        }
        defer { service.server.stop() }
        #expect(try service.client.call("GET", "/", as: String.self) == "late")
        // A connection that says nothing is closed.
        #expect(try raw(service.client.socket, "GET / HT").isEmpty)
    }

    @Test func aDaemonThatIsDownIsSaidSo() throws {
        let folder = try TemporaryFolder()
        let path = folder.path.appending("s")
        func failure() -> ControlError? {
            do {
                _ = try ControlClient(socket: path).request("GET", "/")
                return nil
            } catch {
                return error
            }
        }
        let absent = try #require(failure())
        #expect(absent.exitStatus == .unavailable && absent.description.contains(path.string))
        let listener = try UnixListener(path)
        try listener.descriptor.close()
        #expect(try #require(failure()).exitStatus == .unavailable)
    }

    @Test func aStaleSocketIsReplacedAndALivingOneIsNot() throws {
        let folder = try TemporaryFolder()
        let path = folder.path.appending("run").appending("s")
        let stale = try UnixListener(path)
        try stale.descriptor.close()
        let living = try UnixListener(path)
        defer { try? living.descriptor.close() }
        #expect(try Files.status(path).mode & 0o777 == 0o660)
        #expect(UnixListener.answers(path))
        #expect(throws: SystemError.self) { try UnixListener(path) }
        #expect(UnixListener.answers(path))
        living.remove()
        try Files.replace(path, with: [1])
        #expect(throws: SystemError.self) { try UnixListener(path) }
        #expect(try Files.read(path) == [1])
        #expect(throws: SystemError.self) {
            try UnixListener(folder.path.appending(String(repeating: "l", count: 108)))
        }
    }

    @Test func anErrorTravelsWithItsCode() throws {
        let service = try Service { request in
            .failure(Int(request.query["status"]!)!, code: "c", message: "It is so.", hint: "Do this.")
        }
        defer { service.server.stop() }
        for (status, code) in [(404, Int32(66)), (409, 65), (403, 77), (503, 75), (500, 70)] {
            do throws(ControlError) {
                _ = try service.client.call("GET", "/", query: [("status", "\(status)")], as: Int.self)
                Issue.record("status \(status) was taken for success")
            } catch {
                #expect(error.exitStatus.rawValue == code)
                #expect(error.description == "It is so. Do this.")
            }
        }
    }
}

/// Follows a stream on a thread of its own.
final class Follower: @unchecked Sendable {
    private let lines = Mutex(0)
    private let ended = Mutex(false)
    private var thread = pthread_t()

    init(_ client: ControlClient, _ path: String) throws {
        let box = Unmanaged.passRetained(
            Job { [self] in
                try? client.stream(path) { _ in
                    lines.withLock { $0 += 1 }
                    return true
                }
                ended.withLock { $0 = true }
            })
        pthread_create(
            &thread, nil,
            { argument in
                Unmanaged<Job>.fromOpaque(argument!).takeRetainedValue().body()
                return nil
            }, box.toOpaque())
    }

    func waitForLine() { while lines.withLock({ $0 }) == 0, !ended.withLock({ $0 }) { usleep(5000) } }

    func wait() { pthread_join(thread, nil) }

    private final class Job {
        let body: () -> Void
        init(_ body: @escaping () -> Void) { self.body = body }
    }
}
