"""From tensors and numbers to pictures and tables; knows no trainer."""
