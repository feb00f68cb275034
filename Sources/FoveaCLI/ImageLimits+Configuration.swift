import FoveaControl
import FoveaImage

extension ImageLimits {
    /// What the configuration allows of one image, wherever images are decoded.
    package init(_ limits: Configuration.Limits) {
        self.init(bytes: limits.file, side: limits.side, pixels: limits.pixels)
    }
}
