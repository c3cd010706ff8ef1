"""All about accuracy, apart from the compiler: drawn scenes, the networks in PyTorch, training, evaluation."""
