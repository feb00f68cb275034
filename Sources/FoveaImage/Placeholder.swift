// FoveaImage
