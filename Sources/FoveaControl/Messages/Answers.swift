import FoundationEssentials

/// What every request that fails is answered with.
package struct ErrorAnswer: Codable, Sendable, Equatable {
    package var error: Detail

    package struct Detail: Codable, Sendable, Equatable {
        /// Short, does not change, such as `not-found`.
        package var code: String
        /// What is wrong, a sentence.
        package var message: String
        /// What to do next, a sentence or nothing.
        package var hint: String

        package init(code: String, message: String, hint: String = "") {
            self.code = code
            self.message = message
            self.hint = hint
        }
    }

    package init(code: String, message: String, hint: String = "") {
        error = Detail(code: code, message: message, hint: hint)
    }
}

/// `GET /v1/why`: everything that happened to an image, the oldest first.
package struct WhyAnswer: Codable, Sendable, Equatable {
    package var id: String
    package var file: String
    package var events: [Event]

    package struct Event: Codable, Sendable, Equatable {
        package var time: Timestamp
        /// One word, such as `received`, `classified`, `published`.
        package var what: String
        /// The rest, for a person.
        package var detail: String

        package init(time: Timestamp, what: String, detail: String) {
            self.time = time
            self.what = what
            self.detail = detail
        }
    }

    package init(id: String, file: String, events: [Event]) {
        self.id = id
        self.file = file
        self.events = events
    }
}

/// `POST /v1/queue/…`.
package struct QueueAnswer: Codable, Sendable, Equatable {
    package var verb: QueueVerb
    package var mode: Status.Mode
    /// Images concerned: drained, put back, or waiting.
    package var images: Int
    /// Images that should have been put back and could not be, a sentence each; nil where there are none.
    package var problems: [String]?

    package init(verb: QueueVerb, mode: Status.Mode, images: Int, problems: [String] = []) {
        self.verb = verb
        self.mode = mode
        self.images = images
        self.problems = problems.isEmpty ? nil : problems
    }
}

extension HTTPResponse {
    /// A message as JSON.
    package static func json(_ message: some Encodable, status: Int = 200) -> HTTPResponse {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            return HTTPResponse(status: status, body: .bytes(Array(try encoder.encode(message)) + [0x0A]))
        } catch {
            return failure(500, code: "internal", message: "The answer could not be written.")
        }
    }

    /// An `ErrorAnswer`.
    package static func failure(_ status: Int, code: String, message: String, hint: String = "") -> HTTPResponse {
        json(ErrorAnswer(code: code, message: message, hint: hint), status: status)
    }
}
