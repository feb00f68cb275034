/// The opcodes of pickle protocol 2 that PyTorch's state dictionaries consist of.
///
/// Source: CPython's `Lib/pickletools.py`. Every other opcode is refused, above all those that find code by a name that is made
/// while the pickle runs (STACK_GLOBAL, INST, OBJ, NEWOBJ, EXT1).
enum PickleOpcode: UInt8 {
    case mark = 0x28  // (
    case emptyTuple = 0x29  // )
    case stop = 0x2E  // .
    case binInt = 0x4A  // J
    case binInt1 = 0x4B  // K
    case binInt2 = 0x4D  // M
    case none = 0x4E  // N
    case binPersID = 0x51  // Q
    case reduce = 0x52  // R
    case binUnicode = 0x58  // X
    case emptyList = 0x5D  // ]
    case build = 0x62  // b
    case global = 0x63  // c
    case appends = 0x65  // e
    case binGet = 0x68  // h
    case longBinGet = 0x6A  // j
    case binPut = 0x71  // q
    case longBinPut = 0x72  // r
    case setItem = 0x73  // s
    case tuple = 0x74  // t
    case setItems = 0x75  // u
    case emptyDict = 0x7D  // }
    case proto = 0x80
    case tuple1 = 0x85
    case tuple2 = 0x86
    case newTrue = 0x88
    case newFalse = 0x89
}

/// The names that a state dictionary refers to. A name is only a mark here: nothing is looked up and nothing is called.
enum PickleName: String {
    case orderedDict = "collections OrderedDict"
    case rebuildTensor = "torch._utils _rebuild_tensor_v2"
    case floatStorage = "torch FloatStorage"
    case longStorage = "torch LongStorage"
}
