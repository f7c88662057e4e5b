# The web page on a CPU; no weights are downloaded, they come with the project.
#   docker build -t wm-app . && docker run --rm -p 127.0.0.1:7860:7860 wm-app
FROM python:3.12-slim

WORKDIR /app
COPY . .
# The index holds PyTorch without CUDA, which is much smaller
RUN pip install --no-cache-dir --extra-index-url https://download.pytorch.org/whl/cpu -c constraints.txt ".[app,torch]" \
    && rm -rf /app \
    && useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin app

WORKDIR /tmp
USER 10001
ENV HOME=/tmp PYTHONDONTWRITEBYTECODE=1 OMP_NUM_THREADS=2
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request as u; u.build_opener(u.ProxyHandler({})).open('http://127.0.0.1:7860/health', timeout=4)"]
ENTRYPOINT ["wm-app", "--host", "0.0.0.0", "--device", "cpu"]
