import FoveaSystem

/// A stage as people type it: `sharpen`, `sharpen={"amount":2}`, `./libfovea-mine.so={"key":[1,2]}`.
package struct StageText: Sendable, Equatable {
    /// A plugin's name, or the path of its file.
    package let plugin: String
    /// nil where none are given.
    package let parameters: JSONValue?

    /// It is the path of a file and not a name: there is a slash in it, or it ends in `.so`.
    package var isFile: Bool { plugin.contains("/") || plugin.hasSuffix(".so") }

    package init(plugin: String, parameters: JSONValue? = nil) {
        (self.plugin, self.parameters) = (plugin, parameters)
    }

    /// Reads one stage.
    package init(_ text: some StringProtocol) throws(LabelError) {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard let name = parts.first, !name.isEmpty else {
            throw LabelError(description: "'\(text)' names no plugin: a stage is NAME or NAME={\"key\": value}")
        }
        plugin = String(name)
        parameters = try parts.count == 2 ? Self.parameters(String(parts[1])) : nil
    }

    /// One stage, for a caller that needs a function.
    package static func one(_ text: String) throws(LabelError) -> StageText { try StageText(text) }

    /// A JSON object.
    package static func parameters(_ text: String) throws(LabelError) -> JSONValue {
        let value: JSONValue
        do throws(StrictJSON.Failure) { value = try StrictJSON.parse(Array(text.utf8), depth: 32) } catch {
            throw LabelError(description: "'\(text)' is \(error)")
        }
        guard case .object = value else { throw LabelError(description: "'\(text)' is not a JSON object") }
        return value
    }

    /// Stages with commas between them; a comma inside of JSON divides nothing. `none` is no stage.
    package static func list(_ text: String) throws(LabelError) -> [StageText] {
        if text == "none" { return [] }
        var stages: [StageText] = []
        for piece in pieces(text) { stages.append(try StageText(piece)) }
        return stages
    }

    private static func pieces(_ text: String) -> [String] {
        var pieces = [""]
        var depth = 0
        var isQuoted = false
        var isEscaped = false
        for scalar in text.unicodeScalars {
            if scalar == ",", depth == 0, !isQuoted {
                pieces.append("")
                continue
            }
            pieces[pieces.count - 1].unicodeScalars.append(scalar)
            if isEscaped {
                isEscaped = false
                continue
            }
            switch scalar {
            case "\\" where isQuoted: isEscaped = true
            case "\"": isQuoted.toggle()
            case "{" where !isQuoted, "[" where !isQuoted: depth += 1
            case "}" where !isQuoted, "]" where !isQuoted: depth -= 1
            default: break
            }
        }
        return pieces
    }
}
