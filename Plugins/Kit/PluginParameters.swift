import FoundationEssentials

/// A plugin's parameters, decoded from JSON; a key that the plugin does not know is refused by name.
///
/// - Parameters:
///   - json: text from the host; null stands for none.
///   - known: the names of all parameters.
///   - form: what they should be, for the message about a value of a wrong type.
package func pluginParameters<Parameters: Decodable>(
    _ type: Parameters.Type, json: UnsafePointer<CChar>?, known: [String], form: String
) throws(PluginRefusal) -> Parameters {
    let data = Data((json.map { String(cString: $0) } ?? "{}").utf8)
    do {
        let names = try JSONDecoder().decode([String: Ignored].self, from: data).keys
        if let unknown = names.sorted().first(where: { !known.contains($0) }) {
            let list = known.map { "\"\($0)\"" }.joined(separator: ", ")
            throw PluginRefusal("unknown parameter \"\(unknown)\"; there are \(list)")
        }
        return try JSONDecoder().decode(type, from: data)
    } catch let refusal as PluginRefusal {
        throw refusal
    } catch {
        throw PluginRefusal("the parameters are not as they should be: \(form)")
    }
}

/// A value of any type.
private struct Ignored: Decodable {
    init(from decoder: any Decoder) throws {}
}
