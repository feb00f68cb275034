// FoveaNN
