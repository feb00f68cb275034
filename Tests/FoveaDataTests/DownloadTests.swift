import FoveaData
import FoveaSystem
import FoveaTestKit
import SystemPackage
import Testing

struct DownloadTests {
    private let content = SyntheticImage.noise(width: 300, height: 300, seed: 6).pixels

    private func download(_ server: LoopbackServer) -> Download {
        let digest = Digest(.md5)
        digest.update(content)
        var download = Download(address: server.address, bytes: content.count, md5: hexadecimal(digest.finish()))
        download.allowsLoopback = true
        return download
    }

    @Test func fetchesAndChecks() throws {
        let folder = try TemporaryFolder()
        let server = LoopbackServer(content)
        let path = folder.path.appending("new").appending("file.tar.gz")
        try download(server).fetch(to: path)
        #expect(try Files.read(path) == content)
        try download(server).fetch(to: path)  // there already: nothing is asked for
        server.stop()
        #expect(server.requests == ["whole"])
        #expect(try Files.list(path.removingLastComponent()).map(\.string) == ["file.tar.gz"])
    }

    @Test func goesOnWhereItWasCutOff() throws {
        let folder = try TemporaryFolder()
        let path = folder.path.appending("file")
        let server = LoopbackServer(content, fault: .cutsOff(after: 100_000))
        let error = #expect(throws: DataError.self) { try download(server).fetch(to: path) }
        #expect(error?.code == .network)
        #expect(error?.description.contains("after 100000 of 270000") == true)
        try download(server).fetch(to: path)
        server.stop()
        #expect(server.requests == ["whole", "from 100000"])
        #expect(try Files.read(path) == content)
    }

    @Test func beginsAnewWhereTheServerCannotResume() throws {
        let folder = try TemporaryFolder()
        try folder.write("file.part", [UInt8](repeating: 1, count: 5000))
        let server = LoopbackServer(content, fault: .cannotResume)
        try download(server).fetch(to: folder.path.appending("file"))
        server.stop()
        #expect(try Files.read(folder.path.appending("file")) == content)
    }

    @Test func anotherFileIsRemoved() throws {
        let folder = try TemporaryFolder()
        var other = content
        other[7] ^= 1
        let server = LoopbackServer(other)
        let error = #expect(throws: DataError.self) {
            try download(server).fetch(to: folder.path.appending("file"))
        }
        #expect(error?.code == .corrupt)
        server.stop()
        let longer = LoopbackServer(content + [1])
        #expect(throws: DataError.self) { try download(longer).fetch(to: folder.path.appending("file")) }
        longer.stop()
        #expect(try Files.list(folder.path).isEmpty)
    }

    @Test func refusalAndSilenceSayWhatToDo() throws {
        let folder = try TemporaryFolder()
        let server = LoopbackServer(content, fault: .isMissing)
        let missing = #expect(throws: DataError.self) {
            try download(server).fetch(to: folder.path.appending("file"))
        }
        #expect(missing?.description.contains("does not give the file") == true)
        server.stop()
        let offline = #expect(throws: DataError.self) {
            try download(server).fetch(to: folder.path.appending("file"))
        }
        #expect(offline?.code == .network)
        #expect(offline?.description.contains("cannot be reached") == true)
    }

    @Test func plainHTTPIsForTestsOnly() throws {
        let folder = try TemporaryFolder()
        let server = LoopbackServer(content)
        var plain = download(server)
        plain.allowsLoopback = false
        #expect(throws: DataError.self) { try plain.fetch(to: folder.path.appending("file")) }
        server.stop()
        #expect(server.requests.isEmpty)
    }

    @Test func progressIsToldAndCanStop() throws {
        let folder = try TemporaryFolder()
        let server = LoopbackServer(content)
        var told = 0
        let error = #expect(throws: DataError.self) {
            try download(server).fetch(to: folder.path.appending("file")) { done, total in
                told += total == content.count ? 1 : 0
                return done < 50_000
            }
        }
        server.stop()
        #expect(told > 0 && error?.description.contains("stopped after") == true)
    }
}
