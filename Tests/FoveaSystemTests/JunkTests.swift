import FoveaSystem
import SystemPackage
import Testing

@Suite struct JunkTests {
    @Test(arguments: [
        ".DS_Store", "a.part", "A.PART", "x.tmp", "x.crdownload", "Thumbs.db", "THUMBS.DB", "@eaDir", ".x.png",
        "#recycle", "$RECYCLE.BIN", ".Trash-1000", "lost+found", "System Volume Information", "__MACOSX", "desktop.ini",
        "README.md", "readme.txt", "Readme",
    ])
    func junk(_ name: String) { #expect(Junk.contains(FilePath.Component(name)!)) }

    @Test(arguments: [
        "cat.png", "part", "a.part.png", "tmp", "eaDir", "Thumbs.db.png", "x.temp", "STATUS.txt", "recycle",
        "#recycled", "lost and found", "README.png",
    ])
    func noJunk(_ name: String) { #expect(!Junk.contains(FilePath.Component(name)!)) }
}
