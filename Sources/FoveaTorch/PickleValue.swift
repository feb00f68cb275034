/// A value that a pickle has built.
///
/// Containers are places in the unpickler's arena instead of boxes: a pickle may put a dictionary into itself, or nest tuples a
/// million deep, and neither a cycle nor a recursion comes of that.
enum PickleValue: Equatable {
    case none
    case bool(Bool)
    case integer(Int)
    case text(String)
    case name(PickleName)
    /// What MARK leaves on the stack.
    case mark
    /// The index of a container in the arena.
    case tuple(Int)
    case list(Int)
    case dictionary(Int)
    /// The index of a storage or a tensor in the unpickler's lists.
    case storage(Int)
    case tensor(Int)

    /// The kind, for messages.
    var kind: String {
        switch self {
        case .none: "None"
        case .bool: "a truth value"
        case .integer: "an integer"
        case .text: "text"
        case .name(let name): name.rawValue
        case .mark: "a mark"
        case .tuple: "a tuple"
        case .list: "a list"
        case .dictionary: "a dictionary"
        case .storage: "a storage"
        case .tensor: "a tensor"
        }
    }
}

/// A storage that a pickle refers to: its numbers follow after the pickles.
struct PickledStorage: Equatable {
    let key: String
    let type: TorchFile.ElementType
    /// Elements.
    let count: Int
}

/// A tensor that a pickle describes: a view of a storage.
struct PickledTensor: Equatable {
    /// The index in the unpickler's list of storages.
    let storage: Int
    /// Elements from the storage's start.
    let offset: Int
    let shape: [Int]
    let strides: [Int]
}
