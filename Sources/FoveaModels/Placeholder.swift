// FoveaModels
