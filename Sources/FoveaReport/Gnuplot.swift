import FoveaSystem
import Glibc
import SystemPackage

/// Draws plots by gnuplot(1), a process for each picture: one that fails or hangs takes nothing else with it.
///
/// Script and picture go through memory; no file is written or named.
package struct Gnuplot: Sendable {
    package enum Format: String, CaseIterable, Sendable { case png, svg }

    private let program: FilePath

    /// nil where there is no gnuplot on `PATH`.
    package init?() {
        guard let program = ChildProcess.find("gnuplot") else { return nil }
        self.program = program
    }

    /// The plot as a file.
    ///
    /// - Throws: `GnuplotError`, `SystemError`.
    package func draw(_ plot: Plot, as format: Format) throws -> [UInt8] {
        let script = PlotStyle.terminal(plot, format) + PlotStyle.prologue + plot.commands
        // --default-settings: no ~/.gnuplot. With "-" an error in the script ends the program instead of the line.
        let run = try ChildProcess.run(
            program, ["--default-settings", "-"], environment: Self.environment, input: Array(script.utf8), limit: 60)
        let isPicture = run.output.starts(with: format == .png ? [0x89, 0x50, 0x4E, 0x47] : Array("<?xml".utf8))
        guard run.ending == .exited(0), isPicture else {
            let words = String(decoding: run.error, as: UTF8.self).split(separator: "\n").last.map { ": \($0)" } ?? ""
            throw GnuplotError(
                description: run.wasLate ? "gnuplot took more than a minute" : "gnuplot \(run.ending)\(words)")
        }
        return run.output
    }

    private static var environment: [String] {
        let home = getenv("HOME").map { String(cString: $0) } ?? "/nonexistent"
        return ["PATH=/usr/local/bin:/usr/bin:/bin", "HOME=\(home)", "LC_ALL=C.UTF-8"]
    }
}

/// What keeps gnuplot from drawing.
package struct GnuplotError: Error, CustomStringConvertible, Sendable { package let description: String }

/// A picture as gnuplot's commands.
package struct Plot: Sendable {
    /// Of its files, without `.png`.
    package let name: String
    /// In pixels.
    package let width: Int
    package let height: Int
    /// After the terminal and the style are set.
    package let commands: String

    package init(name: String, width: Int, height: Int, commands: String) {
        (self.name, self.width, self.height, self.commands) = (name, width, height, commands)
    }
}
