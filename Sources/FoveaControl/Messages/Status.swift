/// The state of the daemon, `GET /v1/status`.
package struct Status: Codable, Sendable, Equatable {
    package var version: String
    package var pid: Int32
    package var since: Timestamp
    /// Seconds.
    package var uptime: Double
    package var mode: Mode
    /// nil until the first generation serves.
    package var model: ModelIdentity?
    package var chain: [ChainStep]
    package var generation: Int
    /// What the kernel lets the workers' sandbox be, in words.
    package var sandbox: String
    package var watch: Watch
    package var queue: Queue
    package var rates: Rates
    package var workers: [Worker]
    package var intake: Intake
    package var lastSwap: SwapReceipt?
    /// What is filed as unknown; nil until a model serves.
    package var unknown: Unknown?
    /// What of the configuration has no effect on the model that serves, a clause each.
    package var warnings: [String]

    /// Images that belong to no class that the model knows.
    package struct Unknown: Codable, Sendable, Equatable {
        /// The model can tell which these are.
        package var tells: Bool
        /// The unknown-ness above which an image is filed as unknown, in units of the model's own threshold; nil where the
        /// configuration says never.
        package var above: Double?

        package init(tells: Bool, above: Double?) {
            self.tells = tells
            self.above = above
        }
    }

    package enum Mode: String, Codable, Sendable {
        case starting, running, paused, draining, stopping
    }

    package struct Watch: Codable, Sendable, Equatable {
        package var mode: Mode
        /// How often the kernel's queue overflowed, each followed by a scan.
        package var overflows: Int

        package enum Mode: String, Codable, Sendable { case inotify, polling }

        package init(mode: Mode, overflows: Int) {
            self.mode = mode
            self.overflows = overflows
        }
    }

    package struct Queue: Codable, Sendable, Equatable {
        /// Ready in the inbox, not taken yet.
        package var waiting: Int
        /// In the inbox, perhaps still being written.
        package var settling: Int
        /// Taken, waiting for a worker.
        package var spooled: Int
        /// With a worker.
        package var classifying: Int
        /// Since the daemon's start.
        package var published: Int
        package var failed: Int
        package var unsure: Int
        package var unknown: Int
        /// Classified, and kept because the outbox does not take them where they belong; tried again now and then.
        package var held: Int
        /// Left alone in the inbox, by kind: junk, link, fifo, device, …
        package var ignored: [String: Int]
        /// Age of the oldest image that is not published, in seconds.
        package var oldestSeconds: Double?
        /// Until the queue is empty at the present rate, in seconds.
        package var etaSeconds: Double?
        /// An image that a worker has now.
        package var current: String?

        package init(
            waiting: Int = 0, settling: Int = 0, spooled: Int = 0, classifying: Int = 0, published: Int = 0,
            failed: Int = 0, unsure: Int = 0, unknown: Int = 0, held: Int = 0, ignored: [String: Int] = [:],
            oldestSeconds: Double? = nil, etaSeconds: Double? = nil, current: String? = nil
        ) {
            self.waiting = waiting
            self.settling = settling
            self.spooled = spooled
            self.classifying = classifying
            self.published = published
            self.failed = failed
            self.unsure = unsure
            self.unknown = unknown
            self.held = held
            self.ignored = ignored
            self.oldestSeconds = oldestSeconds
            self.etaSeconds = etaSeconds
            self.current = current
        }
    }

    /// Images per second.
    package struct Rates: Codable, Sendable, Equatable {
        package var tenSeconds: Double
        package var minute: Double

        package init(tenSeconds: Double, minute: Double) {
            self.tenSeconds = tenSeconds
            self.minute = minute
        }
    }

    package struct Worker: Codable, Sendable, Equatable {
        package var pid: Int32
        /// `starting`, `idle`, `busy`, `draining`, …
        package var state: String
        package var generation: Int
        package var batches: Int
        package var images: Int
        /// Resident memory in bytes.
        package var rss: Int

        package init(pid: Int32, state: String, generation: Int, batches: Int, images: Int, rss: Int) {
            self.pid = pid
            self.state = state
            self.generation = generation
            self.batches = batches
            self.images = images
            self.rss = rss
        }
    }

    /// Whether images are taken out of the inbox.
    package struct Intake: Codable, Sendable, Equatable {
        package var taking: Bool
        /// Why not, for a person.
        package var reason: String?
        /// Bytes free in the state folder's file system.
        package var freeSpace: Int

        package init(taking: Bool, reason: String?, freeSpace: Int) {
            self.taking = taking
            self.reason = reason
            self.freeSpace = freeSpace
        }
    }

    package init(
        version: String, pid: Int32, since: Timestamp, uptime: Double, mode: Mode, model: ModelIdentity?,
        chain: [ChainStep], generation: Int, sandbox: String, watch: Watch, queue: Queue, rates: Rates,
        workers: [Worker], intake: Intake, lastSwap: SwapReceipt?, unknown: Unknown? = nil, warnings: [String] = []
    ) {
        self.version = version
        self.pid = pid
        self.since = since
        self.uptime = uptime
        self.mode = mode
        self.model = model
        self.chain = chain
        self.generation = generation
        self.sandbox = sandbox
        self.watch = watch
        self.queue = queue
        self.rates = rates
        self.workers = workers
        self.intake = intake
        self.lastSwap = lastSwap
        self.unknown = unknown
        self.warnings = warnings
    }
}
