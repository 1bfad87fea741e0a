from tfnlp.tokenization.graph.graph_tokenizer import GraphTokenizer
