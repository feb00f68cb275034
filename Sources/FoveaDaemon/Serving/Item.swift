import FoveaControl
import FoveaSystem
import SystemPackage

/// One image on its way through the daemon.
struct Item {
    /// Where its bytes are, and so what happens to it afterwards.
    enum Source {
        /// In the spool: its result is committed and published.
        case spool(ClaimedImage)
        /// Sent by a client, in memory: its result is the answer, nothing is filed. The item owns the descriptor.
        case request(FileDescriptor, OneShot<Result<ResultRecord, ErrorRecord>>)
    }

    let source: Source
    let id: DropID
    /// For people: the name below the inbox, or the one the client gave.
    let file: FilePath
    /// Monotonic nanoseconds when it was taken.
    let taken: Int
    /// Batches it has been in that gave no answer.
    var attempts = 0
    /// It was in the batch in which a worker died or stood still, so it is tried alone.
    var isSuspect = false
    /// How the worker ended that had it alone.
    var ending = ""
    /// Bytes, known once it has been opened.
    var bytes = 0
}

extension ErrorRecord: Error {}
