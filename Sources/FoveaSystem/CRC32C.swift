/// CRC-32C (Castagnoli; RFC 3720, appendix B.4), as iSCSI, ext4 and TensorBoard's event files have it.
package func crc32c(_ bytes: some Collection<UInt8>) -> UInt32 {
    var sum: UInt32 = ~0
    crc32cTable.withUnsafeBufferPointer { table in
        for byte in bytes { sum = table[Int((sum ^ UInt32(byte)) & 0xFF)] ^ (sum >> 8) }
    }
    return ~sum
}

private let crc32cTable: [UInt32] = (0..<256).map { index in
    (0..<8).reduce(UInt32(index)) { value, _ in value & 1 == 1 ? (value >> 1) ^ 0x82F6_3B78 : value >> 1 }
}
