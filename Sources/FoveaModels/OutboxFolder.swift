/// The folders at the top of the outbox: its own, and those that labels have. Pure functions, the only ones that name them.
///
///     failed/  unsure/  unknown/  STATUS.txt  README.md      the outbox's own names
///     bus/  maple tree/                           a label's folder, of the label's name
///     unknown.label/                              the folder of a label that is called `unknown`
///
/// New labels with one of the own names are refused (`Labels`). A model from the time before `unknown` was one of them
/// may have that label, and serves on: its folder has another name, so that the two are never mixed.
package enum OutboxFolder {
    /// For images that could not be classified.
    package static let failed = "failed"
    /// For images below the confidence threshold.
    package static let unsure = "unsure"
    /// For images that belong to no class that the model knows.
    package static let unknown = "unknown"
    /// A file: the state of things, for those who only see the share.
    package static let statusFile = "STATUS.txt"

    /// A file: says in a checkout what the folder is for.
    package static let readme = "README.md"

    /// The names that the outbox uses itself.
    package static let own: Set<String> = [failed, unsure, unknown, statusFile, readme]

    private static let suffix = ".label"

    /// The folder of a label. No two labels have the same, and none has one of the outbox's own.
    package static func of(label: String) -> String { isShifted(label) ? label + suffix : label }

    /// The label that a folder stands for, in the outbox or among the corrections; nil for the outbox's own.
    package static func label(of folder: String) -> String? {
        if own.contains(folder) { return nil }
        return isShifted(folder) ? String(folder.dropLast(suffix.count)) : folder
    }

    /// One of the own names, followed by any number of suffixes: `unknown.label` as a label has `unknown.label.label`.
    private static func isShifted(_ name: String) -> Bool {
        var rest = name[...]
        while rest.hasSuffix(suffix) { rest = rest.dropLast(suffix.count) }
        return own.contains(String(rest))
    }
}
