"""Estimators with the interface of scikit-learn (extra `sklearn`)."""

from adversaria.sklearn.autoencoders import AutoencoderClassifier, AutoencoderClusterer, AutoencoderReducer
from adversaria.sklearn.semisupervised import SemiSupervisedClassifier

__all__ = ["AutoencoderClassifier", "AutoencoderClusterer", "AutoencoderReducer", "SemiSupervisedClassifier"]
