import FoveaSystem
import SystemPackage

/// What a person types to name an image: its name on disk, the escaped form that Fovea prints (`FilePath.escaped`), or
/// an id; below the inbox or outbox, or with their path in front.
package struct ImageName: Sendable {
    /// The escaped names that may be meant, the likeliest first.
    package let candidates: [String]

    /// - Parameter roots: the folders whose path may stand in front.
    package init(_ text: String, below roots: [FilePath] = []) {
        // A name with a `%` may be either form. One that is escaped names one file only, so it goes first.
        let written = FilePath(bytes: Array(text.utf8).filter { $0 != 0 })
        var names = [text, written.escaped]
        for path in [FilePath(bytes: percentUnescaped(text).filter { $0 != 0 }), written] {
            for root in roots {
                var rest = path
                if rest.removePrefix(root), !rest.isEmpty { names.append(rest.escaped) }
            }
        }
        var known: Set<String> = []
        candidates = names.filter { known.insert($0).inserted }
    }

    package func matches(_ escaped: String) -> Bool { candidates.contains(escaped) }

    /// The files that may be meant, below whatever folder: without those that would lead out of it.
    package var paths: [FilePath] {
        candidates.map { FilePath(bytes: percentUnescaped($0).filter { $0 != 0 }) }.filter { path in
            path.isRelative && !path.isEmpty && !path.components.contains { $0.kind != .regular }
        }
    }
}
