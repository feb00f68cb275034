import FoveaRetraining
import Testing

@Suite struct ComparisonTests {
    private static func answer(_ label: String) -> Prediction { .init(label: label, confidence: 0.5) }

    private static let comparison = ModelComparison(
        old: "a@1", new: "a@2",
        answers: [
            .init(image: "1", truth: "cat", old: answer("dog"), new: answer("cat")),
            .init(image: "2", truth: "cat", old: answer("cat"), new: answer("cat")),
            .init(image: "<3>", truth: "dog", old: answer("dog"), new: answer("<cat>")),
            .init(image: "4", truth: "cat", old: answer("dog"), new: answer("cat")),
        ])

    @Test func countsFlipsAndRights() {
        let comparison = Self.comparison
        #expect(comparison.images == 4 && comparison.differences.map(\.image) == ["1", "<3>", "4"])
        #expect(comparison.flips.map { "\($0.from) \($0.to) \($0.images)" } == ["dog cat 2", "dog <cat> 1"])
        #expect(comparison.accuracy?.gained == 2 && comparison.accuracy?.lost == 1)
        #expect(comparison.text.contains("differ on 3 of 4 images (75.0%)"))
        #expect(comparison.text.contains("     2  dog → cat"))
    }

    @Test func withoutLabelsThereIsNoAccuracy() {
        let comparison = ModelComparison(
            old: "a@1", new: "a@2", answers: [.init(image: "1", old: Self.answer("dog"), new: Self.answer("cat"))],
            failures: [.init(path: "2", reason: "cut")])
        #expect(comparison.accuracy == nil)
        #expect(comparison.text.contains("not compared: 2: cut"))
    }

    @Test func thePageEscapesWhatPeopleWrite() {
        let html = ComparisonPage(Self.comparison, thumbnails: ["1": [0x4D, 0x61, 0x6E]]).html
        #expect(!html.contains("<cat>") && !html.contains("<3>"))
        #expect(html.contains("&lt;cat&gt;") && html.contains("base64,TWFu\""))
        #expect(html.split(separator: "<li>").count - 1 == 3)
    }
}
