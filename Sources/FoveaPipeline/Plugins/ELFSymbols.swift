import FoveaSystem
import SystemPackage

/// The symbols that a shared library offers to others: those of `.dynsym` that are defined in it and not local.
package enum ELFSymbols {
    /// Empty where the file has no section headers, or they make no sense.
    package static func exported(by path: FilePath) throws(SystemError) -> [String] {
        let descriptor = try Files.open(path)
        defer { try? descriptor.close() }
        let bytes = try Files.read(
            descriptor, count: min(Int(try Files.status(of: descriptor).size), 256 << 20), subject: path.escaped)
        func number(_ offset: Int, _ count: Int) -> Int {
            guard offset >= 0, offset <= bytes.count - count else { return 0 }
            return Int(clamping: (0..<count).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64(bytes[offset + $1]) })
        }
        let (start, size, count) = (number(40, 8), number(58, 2), number(60, 2))
        guard size == 64, start <= bytes.count, count * size <= bytes.count - start else { return [] }
        func section(_ i: Int) -> (type: Int, offset: Int, size: Int, link: Int) {
            let base = start + i * size
            return (number(base + 4, 4), number(base + 24, 8), number(base + 32, 8), number(base + 40, 4))
        }
        var names: [String] = []
        for i in 0..<count {
            let symbols = section(i)
            guard symbols.type == 11, symbols.link < count else { continue }
            let strings = section(symbols.link)
            guard symbols.offset <= bytes.count, symbols.size <= bytes.count - symbols.offset,
                strings.offset <= bytes.count, strings.size <= bytes.count - strings.offset
            else { continue }
            for entry in stride(from: symbols.offset, to: symbols.offset + symbols.size - 23, by: 24) {
                let (name, binding, index) = (number(entry, 4), number(entry + 4, 1) >> 4, number(entry + 6, 2))
                guard binding != 0, index != 0, name < strings.size else { continue }
                let text = bytes[(strings.offset + name)..<(strings.offset + strings.size)].prefix { $0 != 0 }
                names.append(String(decoding: text, as: UTF8.self))
            }
        }
        return names.sorted()
    }
}
