// ClassifierNet
