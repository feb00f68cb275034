import FoveaSystem
import SystemPackage

/// Where a claimed image lies in the spool. The place says all that must be known of it, so the spool needs no index.
///
///     spool/<id>.a%2Fcat.png        the path below the inbox, `/` and `%` escaped
///     spool/<id>/a/cat.png          where that would be too long for a name
///
/// Not always the second, though it is simpler: a folder for each image costs an inode that is soon deleted again, and
/// ext4 walks past every inode deleted in the last seconds when it makes a new one, which at hundreds of images a
/// second took more time than all else.
struct SpoolPlace {
    /// Of the image.
    let path: FilePath
    /// The folder of its own, where it has one.
    let folder: FilePath?

    package init(_ id: DropID, _ file: FilePath, in spool: FilePath) {
        var name = Array(id.description.utf8) + [UInt8(ascii: ".")]
        for byte in file.bytes {
            switch byte {
            case UInt8(ascii: "/"): name += Array("%2F".utf8)
            case UInt8(ascii: "%"): name += Array("%25".utf8)
            default: name.append(byte)
            }
        }
        if name.count <= OutboxNames.longestName {
            path = spool.appending(FilePath(bytes: name).lastComponent!)
            folder = nil
        } else {
            folder = spool.appending(id.description)
            path = folder!.pushing(file)
        }
    }

    /// Reads a name in the spool: the id, and the file below the inbox if the name tells it (else it is a folder, and
    /// the path inside tells). Nil for names that are not the ledger's.
    static func parse(_ name: FilePath.Component) -> (id: DropID, file: FilePath?)? {
        let bytes = name.bytes
        guard bytes.count >= 26, let id = DropID(String(decoding: bytes.prefix(26), as: UTF8.self)) else { return nil }
        if bytes.count == 26 { return (id, nil) }
        guard bytes.count > 27, bytes[26] == UInt8(ascii: ".") else { return nil }
        var path: [UInt8] = []
        var rest = bytes[27...]
        while let byte = rest.popFirst() {
            let escaped = byte == UInt8(ascii: "%") ? rest.prefix(2) : []
            path.append(escaped.elementsEqual("2F".utf8) ? UInt8(ascii: "/") : byte)
            if escaped.count == 2 { rest = rest.dropFirst(2) }
        }
        let file = FilePath(bytes: path)
        return file.isRelative && !file.isEmpty ? (id, file) : nil
    }
}
