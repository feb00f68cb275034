import FoveaSystem
import SystemPackage
import Testing

@Suite struct JunkTests {
    @Test(arguments: [
        ".DS_Store", "a.part", "A.PART", "x.tmp", "x.crdownload", "Thumbs.db", "THUMBS.DB", "@eaDir", ".x.png",
        "README.md", "readme.txt", "Readme",
    ])
    func junk(_ name: String) { #expect(Junk.contains(FilePath.Component(name)!)) }

    @Test(arguments: ["cat.png", "part", "a.part.png", "tmp", "eaDir", "Thumbs.db.png", "x.temp", "STATUS.txt", "README.png"])
    func noJunk(_ name: String) { #expect(!Junk.contains(FilePath.Component(name)!)) }
}
