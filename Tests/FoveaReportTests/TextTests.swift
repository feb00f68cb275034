import FoveaReport
import Testing

/// Labels are whatever users call their folders.
@Suite struct TextTests {
    @Test func gnuplotsConstantsHoldAnyText() {
        #expect(PlotText.quoted("it's") == "'it''s'")
        #expect(PlotText.quoted(#"a\nb "c" `d` @e {f}_g^h"#) == #"'a\nb "c" `d` @e {f}_g^h'"#)
        #expect(PlotText.quoted("日本 é 🐈") == "'日本 é 🐈'")
        #expect(PlotText.quoted("a\u{85}\u{202E}b\u{FFFF}\u{2028}") == "'a\u{FFFD}\u{FFFD}b\u{FFFD}\u{FFFD}'")
        #expect(PlotText.quoted(["a'", "b"]) == #"'a'''."\n".'b'"#)
        #expect(PlotText.tic("100 %d") == "'100 %%d'")
    }

    @Test func longTextIsShortened() {
        #expect(PlotText.shortened("abcdef", to: 6) == "abcdef")
        #expect(PlotText.shortened("abcdef", to: 5) == "abcd…")
        #expect(PlotText.shortened("👩‍👩‍👧‍👦👩‍👩‍👧‍👦👩‍👩‍👧‍👦", to: 2) == "👩‍👩‍👧‍👦…")
    }

    @Test func markdownsTextStandsForItself() {
        #expect(Markdown.text("lawn_mower *a* [b](c)") == #"lawn\_mower \*a\* \[b\](c)"#)
        #expect(Markdown.text("<b>&amp;|`x`\\") == #"&lt;b&gt;&amp;amp;\|\`x\`\\"#)
        #expect(Markdown.text("two\nlines\u{85}") == "two lines ")
        #expect(Markdown.code("a") == "`a`")
        #expect(Markdown.code("a`b``c") == "```a`b``c```")
        #expect(Markdown.code("`a") == "`` `a ``")
    }
}
