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
    /// The superclass of each class, where the answer is given in two stages (`HierarchicalSoftmax`); nil: in one.
    package var superclassOf: [Int]?

    package init(
        architecture: String, input: Shape = Shape(height: 32, width: 32, channels: 3), classes: Int,
        settings: JSONValue = .object([:]), superclassOf: [Int]? = nil
    ) {
        self.architecture = architecture
        self.input = input
        self.classes = classes
        self.settings = settings
        self.superclassOf = superclassOf
    }

    private enum Key: String, CodingKey, CaseIterable { case architecture, input, classes, settings, superclassOf }

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
        superclassOf = try container.decodeIfPresent([Int].self, forKey: .superclassOf)
    }

    /// The settings as an architecture's own type: given members replace the defaults, an unknown one is an error that
    /// names it.
    func settings<T: Codable>(over defaults: T) throws -> T {
        func overlay(_ base: JSONValue, _ given: JSONValue, path: String?) throws -> JSONValue {
            guard case .object(var members) = base else { return given }
            guard case .object(let replacements) = given else {
                throw NetworkDefinitionError("network '\(architecture)': \(path ?? "settings") must be an object")
            }
            let inside = path.map { "\($0)." } ?? ""
            for (name, value) in replacements.sorted(by: { $0.key < $1.key }) {
                let full = inside + name
                guard let old = members[name] else {
                    throw NetworkDefinitionError(
                        "network '\(architecture)' has no setting '\(full)'; it has "
                            + members.keys.sorted().map { inside + $0 }.joined(separator: ", "))
                }
                members[name] = try overlay(old, value, path: full)
            }
            return .object(members)
        }
        let whole = try overlay(JSONValue(encoding: defaults), settings, path: nil)
        do {
            return try whole.decode()
        } catch let error as DecodingError {
            throw NetworkDefinitionError("settings of network '\(architecture)': \(Self.sentence(error, in: whole))")
        }
    }

    private static func kind(_ type: Any.Type) -> String {
        switch type {
        case is Int.Type: "a whole number"
        case is Double.Type: "a number"
        case is Bool.Type: "true or false"
        case is String.Type: "a word"
        default: "a list"
        }
    }

    /// Which member has the wrong kind of value, in words.
    private static func sentence(_ error: DecodingError, in settings: JSONValue) -> String {
        let (path, expected): ([any CodingKey], String) =
            switch error {
            case .typeMismatch(let type, let context), .valueNotFound(let type, let context):
                (context.codingPath, Self.kind(type))
            case .dataCorrupted(let context):
                (
                    context.codingPath,
                    context.debugDescription.hasPrefix("one of ") ? context.debugDescription : "a number in range"
                )
            case .keyNotFound(_, let context): (context.codingPath, "an object")
            @unknown default: ([], "another value")
            }
        var value = settings
        var name = ""
        for key in path {
            if let index = key.intValue {
                guard case .array(let elements) = value, elements.indices.contains(index) else { break }
                value = elements[index]
            } else {
                name += (name.isEmpty ? "" : ".") + key.stringValue
                value = value[key.stringValue] ?? .null
            }
        }
        return "\(name) cannot be \(value.text), it must be \(expected)"
    }
}

/// A network definition that cannot be built.
package struct NetworkDefinitionError: Error, Sendable, Equatable, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }
}

/// The architectures that this build knows.
package enum Architectures {
    package static let names = architectures.map(\.name)

    /// One architecture: how its settings are completed, and how it is built.
    private struct Architecture: Sendable {
        let name: String
        let complete: @Sendable (NetworkDefinition) throws -> JSONValue
        let build: @Sendable (NetworkDefinition, inout LayerStack) throws -> Void

        init<Settings: Codable & SendableMetatype>(
            _ name: String, _ defaults: @autoclosure @escaping @Sendable () -> Settings,
            _ build: @escaping @Sendable (NetworkDefinition, inout LayerStack) throws -> Void
        ) {
            self.name = name
            complete = { try JSONValue(encoding: $0.settings(over: defaults())) }
            self.build = build
        }
    }

    private static let architectures = [
        Architecture("vanilla", VanillaSettings()) { try vanilla($0, &$1) },
        Architecture("depthwise", VanillaSettings()) { try depthwise($0, &$1) },
        Architecture("resnet", ResNetSettings()) { try resNet($0, &$1) },
        Architecture("resnet9", ResNet9Settings()) { try resNet9($0, &$1) },
        Architecture("foveanet", FoveaNetSettings()) { try foveaNet($0, &$1) },
        Architecture("resnet18", ResNet18Settings()) { try resNet18($0, &$1) },
        Architecture("efficientnet-lite0", EfficientNetLiteSettings(.lite0)) { try efficientNetLite(.lite0, $0, &$1) },
        Architecture("efficientnet-lite1", EfficientNetLiteSettings(.lite1)) { try efficientNetLite(.lite1, $0, &$1) },
        Architecture("efficientnet-lite2", EfficientNetLiteSettings(.lite2)) { try efficientNetLite(.lite2, $0, &$1) },
    ]

    private static func find(_ name: String) throws(NetworkDefinitionError) -> Architecture {
        guard let found = architectures.first(where: { $0.name == name }) else {
            throw NetworkDefinitionError(
                "no architecture is called '\(name)'; there are: \(names.joined(separator: ", "))")
        }
        return found
    }

    /// The definition with every setting written out, so that a stored model does not change with a later default.
    ///
    /// - Throws: `NetworkDefinitionError` for a setting that is unknown or of the wrong kind.
    package static func resolved(_ definition: NetworkDefinition) throws -> NetworkDefinition {
        var definition = definition
        definition.settings = try find(definition.architecture).complete(definition)
        return definition
    }

    /// - Throws: `NetworkDefinitionError`, `ShapeError`.
    static func build(_ definition: NetworkDefinition, mode: Mode) throws -> [any Layer] {
        let limit = 1 << 16
        let input = definition.input
        guard (1...4096).contains(input.height), (1...4096).contains(input.width), (1...limit).contains(input.channels),
            (1...limit).contains(definition.classes)
        else { throw NetworkDefinitionError("a network of \(input) to \(definition.classes) classes cannot be built") }
        var stack = LayerStack(input: input, mode: mode)
        try find(definition.architecture).build(definition, &stack)
        if let superclassOf = definition.superclassOf { try stack.superclasses("superclasses", groupOf: superclassOf) }
        return stack.layers
    }
}
