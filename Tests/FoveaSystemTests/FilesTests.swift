import FoveaSystem
import Glibc
import SystemPackage
import Testing

@Suite struct FilesTests {
    private let folder: Folder

    init() throws { folder = try Folder() }

    @Test func replacePutsAllOrNothing() throws {
        let file = folder.path.appending("state.json")
        try Files.replace(file, with: Array("first".utf8), mode: 0o640)
        #expect(try Files.read(file) == Array("first".utf8))
        try Files.replace(file, with: Array("second, longer".utf8))
        #expect(try Files.read(file) == Array("second, longer".utf8))
        try Files.replace(file, with: [])
        #expect(try Files.read(file).isEmpty)
        #expect(try Files.list(folder.path).map(\.string) == ["state.json"], "a temporary file stayed")
    }

    @Test func replaceThatFailsLeavesTheOldFile() throws {
        let target = folder.path.appending("taken")
        try Files.makeDirectory(target)
        try Files.replace(target.appending("inside"), with: [1])
        // A file cannot take a folder's place.
        #expect(throws: SystemError.self) { try Files.replace(target, with: [2]) }
        #expect(try Files.read(target.appending("inside")) == [1])
        #expect(throws: SystemError.self) { try Files.replace(folder.path.appending("none").appending("x"), with: [3]) }
    }

    @Test func listGivesNamesThatAreNotText() throws {
        let names: [[UInt8]] = [[0x61], [0xFF, 0xFE], [0x2E, 0x68], Array("ä ö".utf8), [0x25, 0x0A, 0x7F]]
        for name in names { try Files.replace(folder.path.appending(FilePath(bytes: name).lastComponent!), with: []) }
        let listed = Set(try Files.list(folder.path).map(\.bytes))
        #expect(listed == Set(names))
    }

    @Test func readRefusesWhatIsNoPlainFile() throws {
        let file = folder.path.appending("file")
        try Files.replace(file, with: [UInt8](repeating: 7, count: 100))
        #expect(symlink(file.string, folder.path.appending("link").string) == 0)
        #expect(mkfifo(folder.path.appending("fifo").string, 0o600) == 0)
        for name in ["link", "fifo", "none"] {
            #expect(throws: SystemError.self, "\(name)") { try Files.read(folder.path.appending(name)) }
        }
        #expect(throws: SystemError.self) { try Files.read(folder.path) }
        do throws(SystemError) {
            _ = try Files.read(file, limit: 99)
            Issue.record("a file above the limit was read")
        } catch { #expect(error.errno == .fileTooLarge && error.description.contains("file")) }
        #expect(try Files.read(file, limit: 100).count == 100)
    }

    @Test func renameNoReplaceReplacesNothing() throws {
        let (a, b) = (folder.path.appending("a"), folder.path.appending("b"))
        try Files.replace(a, with: [1])
        try Files.replace(b, with: [2])
        do throws(SystemError) {
            try Files.renameNoReplace(a, to: b)
            Issue.record("it was replaced")
        } catch { #expect(error.errno == .fileExists) }
        #expect(try Files.read(b) == [2])
        try Files.unlink(b)
        try Files.renameNoReplace(a, to: b)
        #expect(try Files.read(b) == [1])
    }

    @Test func treesAreMadeAndRemoved() throws {
        let deep = folder.path.pushing("a/b/c")
        try Files.makeDirectories(deep)
        try Files.makeDirectories(deep)
        try Files.replace(deep.appending("file"), with: [1])
        let outside = try Folder()
        try Files.replace(outside.path.appending("kept"), with: [1])
        #expect(symlink(outside.path.string, deep.appending("link").string) == 0)
        try Files.removeTree(folder.path.appending("a"))
        #expect(try Files.statusIfPresent(folder.path.appending("a")) == nil)
        #expect(try Files.read(outside.path.appending("kept")) == [1], "a link was followed")
        try Files.removeTree(folder.path.appending("a"))
        try Files.replace(folder.path.appending("f"), with: [])
        #expect(throws: SystemError.self) { try Files.makeDirectories(folder.path.pushing("f/g")) }
    }

    @Test func aFolderThatNobodyCanMakeIsAnError() throws {
        let error = #expect(throws: SystemError.self) { try Files.makeDirectories("/proc/none/below") }
        #expect(error?.errno == .noSuchFileOrDirectory)
    }

    @Test func aLockHasOneHolder() throws {
        let path = folder.path.appending("lock")
        let first = try #require(try Files.lock(path))
        #expect(try Files.lock(path) == nil)
        // Removed by its holder, it does not bind those who come later.
        try Files.unlink(path)
        let second = try #require(try Files.lock(path))
        try first.close()
        #expect(try Files.lock(path) == nil)
        try second.close()
        let third = try #require(try Files.lock(path))
        try third.close()
    }

    @Test func twoFoldersChangePlaces() throws {
        let (a, b) = (folder.path.appending("one"), folder.path.appending("other"))
        for path in [a, b] {
            try Files.makeDirectory(path)
            try Files.replace(path.appending("name"), with: Array(path.lastComponent!.string.utf8))
        }
        try Files.exchange(a, b)
        #expect(try Files.read(a.appending("name")) == Array("other".utf8))
        #expect(try Files.read(b.appending("name")) == Array("one".utf8))
        #expect(throws: SystemError.self) { try Files.exchange(a, folder.path.appending("none")) }
    }

    @Test func statusTellsKinds() throws {
        let file = folder.path.appending("file")
        try Files.replace(file, with: [1, 2, 3])
        #expect(symlink("file", folder.path.appending("link").string) == 0)
        let status = try Files.status(file)
        #expect(status.isRegular && !status.isDirectory && status.size == 3)
        #expect(try Files.status(folder.path).isDirectory)
        #expect(try Files.status(folder.path.appending("link")).isLink)
        #expect(try Files.status(folder.path.appending("link"), followingLinks: true) == status)
        #expect(try Files.statusIfPresent(folder.path.pushing("file/below")) == nil)
    }

    /// What a user names may be more than a file.
    @Test func answersGoWhereTheyAreAskedFor() throws {
        let file = folder.path.appending("file")
        try Files.writeAnswer(file, [1, 2, 3])
        try Files.writeAnswer(file, [4])
        #expect(try Files.read(file) == [4])
        let link = folder.path.appending("link")
        #expect(symlink("file", link.string) == 0)
        try Files.writeAnswer(link, [5, 6])
        #expect(try Files.read(file) == [5, 6] && Files.status(link).isLink)
        let pipe = folder.path.appending("pipe")
        #expect(mkfifo(pipe.string, 0o600) == 0)
        let reader = try Files.open(pipe, O_RDONLY | O_NONBLOCK)
        defer { try? reader.close() }
        try Files.writeAnswer(pipe, [7])
        var byte: UInt8 = 0
        #expect(read(reader.rawValue, &byte, 1) == 1 && byte == 7)
        #expect(try Files.status(pipe).mode & S_IFMT == S_IFIFO)
        try Files.writeAnswer("/dev/null", [8])
        #expect(throws: SystemError.self) { try Files.writeAnswer(folder.path, [9]) }
    }
}
