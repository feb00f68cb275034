// What `make fuzz` runs: libFuzzer looks for a file that ends the process, overruns memory or takes long.

/// See libFuzzer's documentation: one input, 0 where it was read or refused.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzTorchFile(_ data: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    let bytes = Array(UnsafeBufferPointer(start: data, count: count))
    // A file of random bytes would have to hit the magic number first.
    for bytes in [bytes, TorchFile.magic + bytes] {
        guard let file = try? TorchFile(bytes: bytes, subject: "input") else { continue }
        for tensor in file.tensors where tensor.type == .float32 {
            guard let values = try? file.floats(tensor.name), values.count == tensor.count else { fatalError() }
        }
    }
    return 0
}
