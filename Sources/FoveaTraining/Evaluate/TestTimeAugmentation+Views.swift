import FoveaModels
import FoveaNN

extension TestTimeAugmentation {
    /// As the engine computes them.
    package var copies: [AveragedNetwork.View] { AveragedNetwork.View.named(rawValue) ?? [.init()] }
}
