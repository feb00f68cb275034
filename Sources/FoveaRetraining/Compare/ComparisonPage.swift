import FoundationEssentials
import FoveaControl

/// A comparison as one page that needs nothing else: pictures are in it.
package struct ComparisonPage {
    private let comparison: ModelComparison
    private let thumbnails: [String: [UInt8]]

    /// - Parameter thumbnails: PNG files by the images' names; an image without one is shown by its name alone.
    package init(_ comparison: ModelComparison, thumbnails: [String: [UInt8]]) {
        self.comparison = comparison
        self.thumbnails = thumbnails
    }

    package var html: String {
        let title = "\(comparison.old) and \(comparison.new)"
        var body =
            "<h1>\(Self.escaped(title))</h1>\n<p>They differ on \(Figures.grouped(comparison.differences.count)) of "
        body += "\(Figures.grouped(comparison.images)) images."
        if let accuracy = comparison.accuracy {
            body += " Right: \(Figures.percent(accuracy.champion, decimals: 2)) → "
            body += "\(Figures.percent(accuracy.challenger, decimals: 2)), \(Self.escaped(accuracy.words))."
        }
        body += "</p>\n"
        for flip in comparison.flips {
            body +=
                "<h2>\(Self.escaped(flip.from)) → \(Self.escaped(flip.to)) <small>\(flip.images)</small></h2>\n<ul>\n"
            for difference in comparison.differences
            where difference.old.label == flip.from && difference.new.label == flip.to {
                body += item(difference)
            }
            body += "</ul>\n"
        }
        if !comparison.failures.isEmpty {
            body += "<h2>Not compared</h2>\n<ol>\n"
            for failure in comparison.failures {
                body += "<li>\(Self.escaped(failure.path)): \(Self.escaped(failure.reason))</li>\n"
            }
            body += "</ol>\n"
        }
        return """
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width">
            <title>\(Self.escaped(title))</title>
            <style>\(Self.style)</style>
            </head>
            <body>
            \(body)</body>
            </html>

            """
    }

    private func item(_ difference: ModelComparison.Difference) -> String {
        let name = Self.escaped(difference.image)
        let picture =
            thumbnails[difference.image].map {
                "<img src=\"data:image/png;base64,\(Data($0).base64EncodedString())\" alt=\"\(name)\">"
            } ?? ""
        func words(_ answer: Prediction) -> String {
            let mark = difference.truth.map { $0 == answer.label ? " class=\"right\"" : " class=\"wrong\"" } ?? ""
            return "<span\(mark)>\(Self.escaped(ModelComparison.words(answer)))</span>"
        }
        let truth = difference.truth.map { "<small>is \(Self.escaped($0))</small>" } ?? ""
        return "<li>\(picture)<b>\(name)</b>\(words(difference.old))\(words(difference.new))\(truth)</li>\n"
    }

    private static let style = """
        :root { color-scheme: light dark; font: 15px/1.4 system-ui, sans-serif }
        body { max-width: 70rem; margin: 2rem auto; padding: 0 1rem }
        h1 { font-size: 1.5rem } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem }
        small { font-weight: normal; opacity: .7 }
        ul { display: grid; grid-template-columns: repeat(auto-fill, minmax(9rem, 1fr)); gap: 1rem; padding: 0; list-style: none }
        li { overflow-wrap: anywhere } ul b, ul span, ul small { display: block; font-size: .85rem; font-weight: normal }
        ul span + span::before { content: "→ " }
        img { width: 100%; aspect-ratio: 1; object-fit: contain; image-rendering: pixelated; background: #8882 }
        .right { color: #07724b } .wrong { color: #b3400a }
        @media (prefers-color-scheme: dark) { .right { color: #4fd1a5 } .wrong { color: #ff9d66 } }
        """

    static func escaped(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
            .replacing("\"", with: "&quot;")
    }
}
