// FoveaPipeline
