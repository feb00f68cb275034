import FoveaControl
import FoveaSystem
import Glibc
import Logging

/// Log lines on standard error: with a time on a terminal or in a file, and with the priority prefix of sd-daemon(3)
/// where systemd's journal takes them (JOURNAL_STREAM is set), which adds the time itself.
package struct JournalLogHandler: LogHandler {
    package var metadata: Logger.Metadata = [:]
    package var logLevel: Logger.Level
    private let isJournal = getenv("JOURNAL_STREAM") != nil && isatty(2) == 0

    package init(level: Logger.Level) { logLevel = level }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        let (level, message) = (event.level, event.message)
        let priority =
            switch level {
            case .trace, .debug: 7
            case .info: 6
            case .notice: 5
            case .warning: 4
            case .error: 3
            case .critical: 2
            }
        printError(isJournal ? "<\(priority)>\(message)" : "\(Timestamp.now()) \(level) \(message)")
    }
}
