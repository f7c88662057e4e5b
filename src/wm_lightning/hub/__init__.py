"""Networks on the Hugging Face Hub; nothing else of this project goes online by itself."""
