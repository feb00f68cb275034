import Glibc

/// The least of an HTTP server: gives one file, to one client after the other, on 127.0.0.1.
final class LoopbackServer: @unchecked Sendable {
    /// What it does wrong.
    enum Fault { case none, cutsOff(after: Int), cannotResume, isMissing }

    let port: UInt16
    private let listener: Int32
    private let content: [UInt8]
    private let fault: Fault
    private var thread = pthread_t()
    // Written by the server's thread, read after `stop` has joined it.
    private(set) var requests: [String] = []

    init(_ content: [UInt8], fault: Fault = .none) {
        self.content = content
        self.fault = fault
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = listener
        withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = bind(descriptor, $0, length)
                _ = listen(descriptor, 4)
                _ = getsockname(descriptor, $0, &length)
            }
        }
        port = UInt16(bigEndian: address.sin_port)
        pthread_create(
            &thread, nil,
            { context in
                Unmanaged<LoopbackServer>.fromOpaque(context!).takeRetainedValue().serve()
                return nil
            }, Unmanaged.passRetained(self).toOpaque())
    }

    var address: String { "http://127.0.0.1:\(port)/file" }

    /// Ends the thread; the requests' first lines and ranges are there then.
    func stop() {
        shutdown(listener, Int32(SHUT_RDWR))
        pthread_join(thread, nil)
        close(listener)
    }

    private func serve() {
        while true {
            let client = accept(listener, nil, nil)
            if client < 0 { return }
            answer(client)
            close(client)
        }
    }

    private func answer(_ client: Int32) {
        var request: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while !String(decoding: request, as: UTF8.self).contains("\r\n\r\n") {
            let got = read(client, &buffer, buffer.count)
            if got <= 0 { return }
            request += buffer.prefix(got)
        }
        let lines = String(decoding: request, as: UTF8.self).split(separator: "\r\n")
        let range = lines.first { $0.hasPrefix("Range: bytes=") }?.dropFirst(13).prefix { $0 != "-" }
        requests.append(range.map { "from \($0)" } ?? "whole")
        var start = 0
        var head = "HTTP/1.1 200 OK\r\n"
        if case .isMissing = fault {
            send("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", client)
            return
        }
        if let range, let offset = Int(range) {
            if case .cannotResume = fault {
            } else {
                start = offset
                head = "HTTP/1.1 206 Partial Content\r\n"
                head += "Content-Range: bytes \(start)-\(content.count - 1)/\(content.count)\r\n"
            }
        }
        var body = Array(content[start...])
        send(head + "Content-Length: \(body.count)\r\nConnection: close\r\n\r\n", client)
        if case .cutsOff(let count) = fault, range == nil { body = Array(body.prefix(count)) }
        var done = 0
        while done < body.count {
            let sent = body.withUnsafeBytes {
                Glibc.send(client, $0.baseAddress! + done, body.count - done, Int32(MSG_NOSIGNAL))
            }
            if sent <= 0 { return }
            done += sent
        }
    }

    private func send(_ text: String, _ client: Int32) {
        let bytes = Array(text.utf8)
        _ = Glibc.send(client, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }
}
