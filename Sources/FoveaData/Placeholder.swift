// FoveaData
