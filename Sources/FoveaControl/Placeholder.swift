// FoveaControl
