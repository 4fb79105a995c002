"""Estimators with the interface of scikit-learn (extra `sklearn`)."""

from adversaria.sklearn.autoencoders import AutoencoderClassifier, AutoencoderClusterer, AutoencoderReducer

__all__ = ["AutoencoderClassifier", "AutoencoderClusterer", "AutoencoderReducer"]
