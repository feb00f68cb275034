import FoveaSystem

/// One step of a model's chain: which plugin, with which parameters.
package struct StageConfiguration: Codable, Sendable, Equatable {
    /// The plugin's name, as in its file name: lower case, digits, hyphen.
    package let plugin: String
    /// A JSON object; the plugin itself judges its keys.
    package let parameters: JSONValue

    package init(plugin: String, parameters: JSONValue = .object([:])) {
        self.plugin = plugin
        self.parameters = parameters
    }

    package init(from decoder: any Decoder) throws {
        let keys = try StrictKeys(decoder, allowed: ["plugin", "parameters"], what: "stage")
        plugin = try keys.required("plugin")
        parameters = try keys.optional("parameters") ?? .object([:])
        let characters = plugin.utf8
        let isName =
            !characters.isEmpty && characters.count <= 64
            && characters.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2D }
        guard isName else {
            throw keys.invalid("plugin", "'\(plugin)' is not a plugin's name (lower-case letters, digits, hyphens)")
        }
        guard case .object = parameters else { throw keys.invalid("parameters", "must be an object") }
    }
}
