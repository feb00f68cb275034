import FoundationEssentials
import FoveaSystem

/// A network as data: what stands under `network` in a model's `config.json`.
package struct NetworkDefinition: Codable, Sendable, Equatable {
    /// The architecture's name, such as `vanilla`.
    package var architecture: String
    package var input: Shape
    package var classes: Int
    /// The architecture's own settings; what is left out has its default.
    package var settings: JSONValue

    package init(
        architecture: String, input: Shape = Shape(height: 32, width: 32, channels: 3), classes: Int,
        settings: JSONValue = .object([:])
    ) {
        self.architecture = architecture
        self.input = input
        self.classes = classes
        self.settings = settings
    }

    private enum Key: String, CodingKey, CaseIterable { case architecture, input, classes, settings }

    package init(from decoder: any Decoder) throws {
        let whole = try JSONValue(from: decoder)
        if case .object(let members) = whole {
            let known = Key.allCases.map(\.rawValue)
            for name in members.keys.sorted() where !known.contains(name) {
                throw NetworkDefinitionError("network has no member '\(name)'; it has \(known.joined(separator: ", "))")
            }
        }
        let container = try decoder.container(keyedBy: Key.self)
        architecture = try container.decode(String.self, forKey: .architecture)
        input = try container.decode(Shape.self, forKey: .input)
        classes = try container.decode(Int.self, forKey: .classes)
        settings = try container.decodeIfPresent(JSONValue.self, forKey: .settings) ?? .object([:])
    }

    /// The settings as an architecture's own type: given members replace the defaults, an unknown one is an error that
    /// names it.
    func settings<T: Codable>(over defaults: T) throws -> T {
        func overlay(_ base: JSONValue, _ given: JSONValue, path: String) throws -> JSONValue {
            guard case .object(var members) = base else { return given }
            guard case .object(let replacements) = given else {
                throw NetworkDefinitionError("\(path) of network '\(architecture)' must be an object")
            }
            for (name, value) in replacements {
                guard let old = members[name] else {
                    throw NetworkDefinitionError(
                        "\(path) of network '\(architecture)' has no member '\(name)'; it has "
                            + members.keys.sorted().joined(separator: ", "))
                }
                members[name] = try overlay(old, value, path: "\(path).\(name)")
            }
            return .object(members)
        }
        return try overlay(JSONValue(encoding: defaults), settings, path: "settings").decode()
    }
}

/// A network definition that cannot be built.
package struct NetworkDefinitionError: Error, Sendable, Equatable, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }
}

/// The architectures that this build knows.
package enum Architectures {
    package static let names = ["vanilla"]

    /// - Throws: `NetworkDefinitionError`, `ShapeError` or a decoding error of the settings.
    static func build(_ definition: NetworkDefinition, mode: Mode) throws -> [any Layer] {
        let limit = 1 << 16
        let input = definition.input
        guard (1...4096).contains(input.height), (1...4096).contains(input.width), (1...limit).contains(input.channels),
            (1...limit).contains(definition.classes)
        else { throw NetworkDefinitionError("a network of \(input) to \(definition.classes) classes cannot be built") }
        switch definition.architecture {
        case "vanilla": return try vanilla(definition, mode: mode)
        default:
            throw NetworkDefinitionError(
                "no architecture is called '\(definition.architecture)'; there are: \(names.joined(separator: ", "))")
        }
    }
}
