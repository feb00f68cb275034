// FoveaDaemon
