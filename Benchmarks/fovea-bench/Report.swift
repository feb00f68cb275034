import FoundationEssentials
import FoveaSystem
import Glibc

/// A figure over several runs.
struct Figure: Codable, Sendable {
    let group: String
    let name: String
    let unit: String
    let median: Double
    let lowest: Double
    let highest: Double
    let runs: Int
    /// Another way to say the median, such as GFLOP/s.
    var also: String?

    init(_ group: String, _ name: String, unit: String, _ values: [Double], also: ((Double) -> String)? = nil) {
        precondition(!values.isEmpty)
        let sorted = values.sorted()
        (self.group, self.name, self.unit) = (group, name, unit)
        median = percentile(sorted, 0.5)
        (lowest, highest, runs) = (sorted[0], sorted[sorted.count - 1], sorted.count)
        self.also = also?(median)
    }
}

/// Of values in ascending order; between two of them, their mean weighted.
func percentile(_ sorted: [Double], _ share: Double) -> Double {
    let place = share * Double(sorted.count - 1)
    let low = Int(place)
    let high = min(low + 1, sorted.count - 1)
    return sorted[low] + (sorted[high] - sorted[low]) * (place - Double(low))
}

/// Something that holds or does not.
struct Check: Codable, Sendable {
    let group: String
    let text: String
    let passed: Bool
}

/// Collects figures and checks; prints them as they come, or all of them as JSON at the end.
final class Report {
    private struct Document: Encodable {
        let schema = "fovea.bench/1"
        let machine: Machine
        let figures: [Figure]
        let checks: [Check]
    }

    let machine: Machine
    private let json: Bool
    private var figures: [Figure] = []
    private(set) var checks: [Check] = []
    private var group = ""

    init(_ machine: Machine, json: Bool) {
        (self.machine, self.json) = (machine, json)
        line("fovea-bench · \(machine.date) · \(machine.build) build")
        line("\(machine.processor) · \(machine.cores) cores · Linux \(machine.kernel) · load \(machine.load)")
        if machine.isBusy {
            note("The machine is busy: others use \(Int(machine.busy * 100))% of it. Figures will be too low.")
        }
        if machine.build == "debug" { note("A debug build is many times slower: build with -c release.") }
    }

    /// For people only, on standard error.
    func note(_ text: String) { printError("! \(text)") }

    /// A heading, once for each group.
    func begin(_ group: String, _ remark: String) {
        self.group = group
        line("")
        line(pad("\(group): \(remark)", 52) + pad("median", 12, right: true) + "            lowest … highest")
    }

    func add(_ figure: Figure) {
        figures.append(figure)
        line(
            pad("  \(figure.name)", 52) + pad(number(figure.median), 12, right: true) + " " + pad(figure.unit, 10)
                + " \(number(figure.lowest)) … \(number(figure.highest)) (\(figure.runs) runs)"
                + (figure.also.map { ", \($0)" } ?? ""))
    }

    func add(_ check: Check) {
        checks.append(check)
        line("  \(check.passed ? "ok    " : "FAILED") \(check.text)")
    }

    /// Prints the JSON, if that is wanted.
    func finish() throws {
        guard json else { return }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        print(
            String(
                decoding: try encoder.encode(Document(machine: machine, figures: figures, checks: checks)),
                as: UTF8.self))
    }

    private func line(_ text: String) {
        guard !json else { return }
        print(text)
        fflush(nil)
    }
}

/// Text with spaces to a width.
func pad(_ text: String, _ width: Int, right: Bool = false) -> String {
    let space = String(repeating: " ", count: max(0, width - text.count))
    return right ? space + text : text + space
}

/// Three digits that count, thousands grouped.
func number(_ value: Double) -> String {
    guard value < 100 else {
        var digits = String(Int(value.rounded()))
        var groups: [Substring] = []
        while digits.count > 3 {
            groups.insert(Substring(digits.suffix(3)), at: 0)
            digits.removeLast(3)
        }
        return ([Substring(digits)] + groups).joined(separator: ",")
    }
    let decimals = value < 10 ? 100.0 : 10
    let scaled = Int((value * decimals).rounded())
    let rest = String(scaled % Int(decimals))
    return "\(scaled / Int(decimals))."
        + String(repeating: "0", count: (decimals == 100 ? 2 : 1) - rest.count) + rest
}

/// How long and how often something is measured.
struct Effort: Sendable {
    let runs: Int
    /// Seconds of one run, at least.
    let length: Double

    /// Things done per second, once for each run; `work` says how many it did. The first call is not counted.
    func rates(_ work: () throws -> Int) rethrows -> [Double] {
        _ = try work()
        return try (0..<runs).map { _ in
            let begin = seconds()
            var done = 0
            var elapsed = 0.0
            repeat {
                done += try work()
                elapsed = seconds() - begin
            } while elapsed < length
            return Double(done) / elapsed
        }
    }
}
